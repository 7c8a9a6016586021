#!/usr/bin/env python3
"""bench/quality: what it asks `kvzip eval` for is what it finds again in results, and its tables hold the right numbers."""
import json
import pathlib
import re
import stat
import subprocess
import tempfile
import unittest

TOOL = pathlib.Path(__file__).resolve().parents[1] / "bench/quality"
# In the place of the program: writes what it was called with.
RECORDER = '#!/bin/sh\necho "$CUDA_VISIBLE_DEVICES $@" >> "$(dirname "$0")/calls"\n'


class QualityTables(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)

    def run_tool(self, *arguments):
        return subprocess.run([TOOL, self.root / "results", *arguments], capture_output=True, text=True, check=False)

    def store(self, name, index, scores, scoring="exact", policy="kvzip", level="pair", task="needle"):
        """One question; `scores` of the full memory and at each ratio."""
        folder = self.root / "results" / task / f"{index}_small"
        folder.mkdir(parents=True, exist_ok=True)
        answers = [{"score": score, "log_p_right": 2 * score - 3} for score in scores]
        settings = {"task": task, "scoring": scoring, "policy": policy, "level": level, "ratios": [0.5, 0.3]}
        rows = [[[ratio, ratio, 0], answer] for ratio, answer in zip(settings["ratios"], answers[1:])]
        (folder / f"output-{name}.json").write_text(json.dumps(
            {"qa": rows, "questions": [{"full": answers[0]}], "document": {"index": index}, "settings": settings}))
        (folder / f"times-{name}.json").write_text('{"reading_seconds": 1, "scoring_seconds": 2}')

    def test_means_and_differences_are_over_documents_that_all_have(self):
        for index, score in enumerate([1, 0, 1, 1]):
            self.store("pair", index, [1, 1, score])
        for index, score in enumerate([0, 0, 1]):
            self.store("pyramid-snapkv", index, [1, 1, score], policy="snapkv", level="pyramid")
        self.store("pair-snapkv", 0, [1, 1, 1], policy="snapkv")
        done = self.run_tool("--tables", "--variants", "exact,snapkv@pyramid")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("| method | needle: 3, 3 |", done.stdout)
        rows = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith("| `snapkv`, pyramid")]
        found = rows[2]  # the first table over a group: full, 0.5, 0.3, then how far exact is ahead
        self.assertRegex(found[3], r"^33 \(")
        self.assertRegex(found[5], r"^33 \(")
        self.assertEqual(found[4], "0 (0 to 0)")
        self.assertRegex(rows[3][3], r"^-2\.33 \(")

    def test_intervals_pair_the_documents(self):
        # Every document differs from the next, but the two ways by the same amount in each.
        for index, score in enumerate([1, 0.25, 0.5, 1, 0.25]):
            self.store("pair", index, [1, 1, score])
            self.store("pair-gate-12ab", index, [1, 1, score - 0.25], scoring="gate-12ab")
        done = self.run_tool("--tables", "--variants", "exact,gate")
        self.assertIn("| 25 (25 to 25) |", done.stdout)
        low, high = map(int, re.search(r"\| 60 \((\d+)-(\d+)\) \|", done.stdout).groups())
        self.assertTrue(25 <= low < 60 < high <= 100)

    def test_calls_name_what_results_will_say(self):
        program = self.root / "kvzip"
        program.write_text(RECORDER)
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        self.run_tool("--kvzip", program, "--tasks", "qa,needle", "--documents", "20", "--block", "11", "--devices", "2", "--jobs", "2",
                      "--variants", "streaming-gate-2000-0.3@per-layer")
        calls = [line.split() for line in (self.root / "calls").read_text().splitlines()]
        self.assertEqual(len(calls), 4, "two blocks of needles, and all of the twelve documents of qa")
        self.assertLessEqual({call[0] for call in calls}, {"0", "1"})
        for call in calls:
            for option, value in {"--level": "per-layer", "--chunk": "2000", "--chunk-keep": "0.3", "--mode": "streaming"}.items():
                self.assertEqual(call[call.index(option) + 1], value)
        numbers = sorted((call[call.index("-d") + 1], call[call.index("--idx") + 1], call[call.index("--num") + 1]) for call in calls)
        self.assertEqual(numbers, [("needle", "0", "11"), ("needle", "11", "9"), ("qa", "0", "11"), ("qa", "11", "1")])
        self.store("x", 0, [1, 1, 1], scoring="streaming-2000-0.3-gate-9f", level="per-layer")
        done = self.run_tool("--tables", "--variants", "streaming-gate-2000-0.3@per-layer")
        self.assertIn("KVzip, streaming, gate, chunks of 2,000 keep 0.3, per-layer", done.stdout)

    def test_what_it_does_not_know_is_said(self):
        for arguments in (["--variants", "snapkv@some"], ["--variants", "streaming-5"], ["--tasks", "none"]):
            done = self.run_tool(*arguments)
            self.assertEqual(done.returncode, 2)
            self.assertIn(arguments[1], done.stderr)
        self.assertIn("no document", self.run_tool("--tables").stderr)


if __name__ == "__main__":
    unittest.main()
