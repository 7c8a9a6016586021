#!/usr/bin/env python3
"""Proves that the checks can fail: each script runs in a small repository of its own, once clean and once with each mistake."""
import json
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[1]
CLEAN = '// What it is.\n#include "kvzip/base/low.h"\n\nint twice(int value) { return 2 * low(value); }\n'


class Checkers(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name).resolve()
        shutil.copytree(ROOT / "scripts", self.root / "scripts")
        for name in (".clang-tidy", ".clang-format"):
            shutil.copy(ROOT / name, self.root / name)
        self.write("CMakeLists.txt", "set(KVZIP_FOLDERS base text\n  backend backend/cpu)\n")
        self.write("kvzip/base/low.h", "// Low.\n#pragma once\ninline int low(int value) { return value; }\n")
        self.write("kvzip/text/twice.cpp", CLEAN)
        (self.root / ".deps").symlink_to(ROOT / ".deps")
        subprocess.run(["git", "init", "-q", str(self.root)], check=True)

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run_check(self, name, *arguments):
        done = subprocess.run([self.root / "scripts" / name, *arguments], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def expect(self, code, text, name, *arguments):
        found, output = self.run_check(name, *arguments)
        self.assertEqual(found, code, output)
        self.assertIn(text, output)

    def test_layers(self):
        self.expect(0, "0 violations", "check_layers")
        mistakes = {
            "kvzip/base/a.h": ("kvzip/text/b.h", "base comes before text"),
            "kvzip/backend/a_test.cpp": ("kvzip/backend/cpu/b.h", "backend comes before backend/cpu"),
            "kvzip/text/a.cpp": ("kvzip/server/b.h", "not in KVZIP_FOLDERS"),
            "kvzip/backend/cpu/a.cpp": ("kvzip/cli/b.h", "backend/cpu comes before cli"),
            "kvzip/text/b.cpp": ("kvzip/kvzip.h", "not in KVZIP_FOLDERS"),
            "kvzip/kvzip.h": ("kvzip/cli/b.h", "may not use the program"),
            "kvzip/base/b.cpp": ("ggml-cpu.h", "only backend/cpu"),
            "kvzip/text/c.cpp": ("hwy/highway.h", "only backend/cpu"),
            "kvzip/backend/b.cpp": ("pcre2.h", "only text"),
            "kvzip/text/d.cpp": ("gtest/gtest.h", "only *_test.cpp"),
            "kvzip/unknown/a.cpp": ("vector", "folder unknown is not"),
        }
        for name, (header, message) in mistakes.items():
            with self.subTest(name):
                self.write(name, f"  #  include <{header}>\n")
                self.expect(1, message, "check_layers")
                (self.root / name).unlink()
        for name, header in {"kvzip/text/a_test.cpp": "gtest/gtest.h", "kvzip/cli/a.cpp": "kvzip/kvzip.h",
                             "kvzip/kvzip.h": "kvzip/text/b.h", "kvzip/backend/cpu/a.cpp": "dnnl.hpp"}.items():
            self.write(name, f'#include "{header}"\n')
        self.expect(0, "0 violations", "check_layers")

    def test_layers_where_files_are_compiled_together(self):
        self.write("kvzip/base/low.h", "#pragma once\nnamespace kvzip {\nbool is_low(int code);\n}  // namespace kvzip\n")
        hiding = "namespace kvzip {\nnamespace {\n\nbool is_low(char c) { return c < 9; }\n\n}  // namespace\n}  // namespace kvzip\n"
        self.write("kvzip/text/low.cpp", hiding)
        self.expect(1, "is_low() in an unnamed namespace hides that of kvzip/base/low.h", "check_layers")
        (self.root / "kvzip/text/low.cpp").unlink()
        self.write("kvzip/text/low_test.cpp", hiding)
        self.write("kvzip/text/lower.cpp", hiding.replace("is_low", "is_lower"))
        self.expect(0, "0 violations", "check_layers")

    def test_layers_of_nothing(self):
        shutil.rmtree(self.root / "kvzip")
        self.assertEqual(self.run_check("check_layers")[0], 1)

    def test_format(self):
        self.expect(0, "2 files", "check_format")
        self.write("kvzip/text/twice.cpp", CLEAN.replace("{ return", "{return"))
        self.expect(1, "kvzip/text/twice.cpp: not formatted", "check_format")
        self.run_check("check_format", "--fix")
        self.assertEqual((self.root / "kvzip/text/twice.cpp").read_text(), CLEAN)

    def test_text(self):
        self.expect(0, "nothing found", "check_text")
        for mistake in ("TO" + "DO: later", "open(\"/wo" + "rk/x\")", "TEST(A, DISABLED" + "_b)", "GTEST_SKI" + "P();",
                        "https://pyp" + "i.org/"):
            with self.subTest(mistake):
                self.write("notes.md", f"A line.\n{mistake}\n")
                self.expect(1, "notes.md:2", "check_text")
                (self.root / "notes.md").unlink()
        self.write("kvzip/base/long.h", "//\n" * 500)
        self.expect(0, "nothing found", "check_text")
        self.write("kvzip/base/long.h", "//\n" * 501)
        self.expect(1, "501 lines", "check_text")

    def test_tidy(self):
        source = self.root / "kvzip/text/twice.cpp"
        self.write("build/compile_commands.json", json.dumps(
            [{"directory": str(self.root), "file": str(source), "command": f"c++ -std=c++20 -I{self.root} -c {source}"}]))
        build = str(self.root / "build")
        self.expect(0, "1 files, 1 checked, 0 unchanged, 0 failed", "check_tidy", build)
        self.expect(0, "1 files, 0 checked, 1 unchanged, 0 failed", "check_tidy", build)
        self.write("kvzip/base/low.h", "#pragma once\ninline int* low(int) { return 0; }\n")
        self.expect(1, "modernize-use-nullptr", "check_tidy", build)
        self.expect(1, "1 checked", "check_tidy", build)

    def test_tidy_of_files_that_are_compiled_together(self):
        together = self.root / "build/unity_text_0_cxx.cxx"
        sources = [self.root / "kvzip/text/twice.cpp", self.root / "kvzip/text/null.cpp"]
        self.write("kvzip/text/null.cpp", "int* none() { return 0; }\n")
        self.write("build/unity_text_0_cxx.cxx", "".join(f'#include "{source}"\n' for source in sources))
        self.write("build/compile_commands.json", json.dumps(
            [{"directory": str(self.root), "file": str(together), "command": f"c++ -std=c++20 -I{self.root} -c {together}"}]))
        self.expect(1, "2 files, 2 checked, 0 unchanged, 1 failed", "check_tidy", str(self.root / "build"))


if __name__ == "__main__":
    unittest.main()
