#!/usr/bin/env python3
"""The page of `kvzip view` in a real browser: moves its slider, chooses heads, searches, and compares what it shows with
`kvzip scores` at the same ratios, pair by pair. Screenshots are kept in FOLDER.

usage: view_test.py KVZIP FOLDER
"""
import base64
import json
import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import time
import unittest

import numpy

from browser import Browser, PageTest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM, SHOTS = sys.argv[1:3] if len(sys.argv) >= 3 else (None, None)
OWN_RATIO = 0.2137
RATIOS = sorted([step / 200 for step in range(2, 201)] + [OWN_RATIO])
SHIFT = 8


def run(*words):
    return subprocess.run([PROGRAM, *words, "-q"], env=os.environ | {"OMP_WAIT_POLICY": "passive"}, capture_output=True)


def kvzip(*words):
    done = run(*words)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def tensors(path):
    data = pathlib.Path(path).read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    types = {"F32": "<f4", "U8": "u1"}
    return {name: numpy.frombuffer(data[8 + size + each["data_offsets"][0]:8 + size + each["data_offsets"][1]],
                                   types[each["dtype"]]).reshape(each["shape"])
            for name, each in json.loads(data[8:8 + size]).items()}


def number(text):
    return int(re.sub(r"\D", "", text))


def shade(share):
    return 0 if share <= 0 else min(15, 1 + int(share * 14.999))


class Command(unittest.TestCase):
    """What `kvzip view` says and leaves behind."""

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)
        self.document = self.folder / "note.txt"
        self.document.write_text("The keeper is Ada Lind. Her cat is called Pepper.\n")
        self.page = self.folder / "page.html"

    def expect_error(self, code, part, *words):
        before = sorted(self.folder.iterdir())
        done = run("view", *map(str, words))
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertRegex(done.stderr.decode(), rf"\Akvzip: [^\n]*{re.escape(part)}[^\n]*\n\Z")
        self.assertEqual(done.stdout, b"")
        self.assertEqual(sorted(self.folder.iterdir()), before)

    def test_errors(self):
        self.expect_error(2, "FILE", "-o", self.page)
        self.expect_error(2, "--output", self.document)
        self.expect_error(2, "kept", self.document, "-o", self.page, "--keep", "0")
        self.expect_error(2, "system prompt", self.document, "-o", self.page, "--keep", "1KiB")
        self.expect_error(1, "none.txt", self.folder / "none.txt", "-o", self.page)
        self.expect_error(1, "page.html: can't be written", self.document, "-o", self.folder / "none" / "page.html")
        self.expect_error(1, "can't be written", self.document, "-o", self.folder)
        self.expect_error(1, "no-such-model", self.document, "-o", self.page, "-m", "no-such-model")

    def test_an_old_page_outlives_a_failure(self):
        self.page.write_text("old")
        self.expect_error(1, "no-such-model", self.document, "-o", self.page, "-m", "no-such-model")
        self.assertEqual(self.page.read_text(), "old")

    def test_report(self):
        said = json.loads(kvzip("view", str(self.document), "-o", str(self.page), "--json"))
        self.assertEqual(said["page_bytes"], self.page.stat().st_size)
        self.assertEqual(said["keep"], 0.3)
        self.assertNotIn(str(self.folder), self.page.read_text())  # a page that is passed on names no folders
        self.assertEqual(sorted(each.name for each in self.folder.iterdir()), ["note.txt", "page.html"])
        before = self.page.read_bytes()
        kvzip("view", str(self.document), "-o", str(self.page))
        self.assertEqual(self.page.read_bytes(), before)


class Page(PageTest):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.scratch.name)
        cls.document = cls.folder / "observatory.txt"
        cls.document.write_bytes((ROOT / "data" / "observatory.txt").read_bytes()[:3000])
        cls.page = cls.folder / "page.html"
        kvzip("view", str(cls.document), "-o", str(cls.page), "--keep", str(OWN_RATIO))
        cls.scores = {}
        for ratio in (0.01, OWN_RATIO, 0.305, 1.0):
            out = cls.folder / "scores.safetensors"
            said = json.loads(kvzip("scores", str(cls.document), "--json", "--keep", str(ratio), "--out", str(out)))
            cls.scores[ratio] = said["documents"][0] | {"valid": tensors(out)["valid"]}

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def text_of(self, element):
        return self.browser.run(f"document.getElementById('{element}').textContent")

    def title_of(self, element):
        return self.browser.run(f"document.getElementById('{element}').title")

    def keep(self, ratio):
        self.browser.run("(() => { const slider = document.getElementById('keep');"
                         f"slider.value = {RATIOS.index(ratio)}; slider.dispatchEvent(new Event('input')); }})()")
        self.browser.settle()

    def shades(self):
        """Of all spans of the text, those outside the window as they would be printed."""
        self.browser.run("dispatchEvent(new Event('beforeprint'))")
        classes = self.browser.run("[...document.querySelectorAll('#text span span')].map(e => e.className)")
        return [int(re.match(r"s(\d+)", name)[1]) for name in classes]

    def compare(self, ratio, thresholds=True):
        """Every number that is shown while all heads are chosen."""
        expected = self.scores[ratio]
        valid = expected["valid"].astype(bool)
        self.assertEqual(number(self.title_of("bytes-full")), expected["kv_bytes_full"])
        self.assertEqual(number(self.title_of("bytes-kept")), expected["kv_bytes_kept"])
        self.assertEqual(number(self.text_of("pairs-full")), valid.size)
        self.assertEqual(number(self.text_of("pairs-kept")), valid.sum())
        if thresholds:
            self.assertEqual(float(self.title_of("threshold")), expected["threshold"])
        labels = self.browser.run("[...document.querySelectorAll('#heat td')].map(e => e.getAttribute('aria-label'))")
        shown = {}
        for label in labels:
            layer, head, kept = re.match(r"Layer (\d+), head (\d+): ([\d,]+) of", label).groups()
            shown[int(layer), int(head)] = number(kept)
        wanted = {(layer, head): kept for layer, row in zip(expected["layers"], expected["kept_per_head"])
                  for head, kept in enumerate(row)}
        self.assertEqual(shown, wanted)
        self.assertEqual(self.shades(), [shade(share) for share in valid.mean(axis=(0, 1))])

    def test_numbers_are_those_of_scores(self):
        self.compare(OWN_RATIO)  # where the slider stands at first
        for ratio in self.scores:
            self.keep(ratio)
            self.compare(ratio)

    def test_one_head_and_one_layer(self):
        self.keep(0.305)
        valid = self.scores[0.305]["valid"].astype(bool)
        self.browser.click("#heat tbody tr:nth-child(2) td:nth-of-type(8)")  # layer 7, head 1
        self.assertEqual(self.shades(), [15 if kept else 0 for kept in valid[7, 1]])
        self.assertIn(f"Layer 7, head 1: {valid[7, 1].sum()} of {valid.shape[2]} pairs", self.text_of("chosen"))
        self.browser.key("ArrowRight")
        self.browser.key("ArrowDown")
        self.assertEqual(self.shades(), [15 if kept else 0 for kept in valid[8, 2]])
        self.browser.screenshot(SHOTS / "one_head.png")
        for _ in range(3):
            self.browser.key("ArrowUp")  # the layer itself
        self.assertEqual(self.shades(), [shade(share) for share in valid[8].mean(axis=0)])
        self.assertIn("Layer 8, all heads", self.text_of("chosen"))
        self.browser.key("Escape")
        self.assertEqual(self.shades(), [shade(share) for share in valid.mean(axis=(0, 1))])
        self.assertIn("All heads", self.text_of("chosen"))

    def test_one_token(self):
        self.keep(0.305)
        valid = self.scores[0.305]["valid"].astype(bool)
        self.browser.click("#text [data-span='40']")
        share = round(valid[:, :, 40].mean() * 100, 1)
        self.assertRegex(self.text_of("tip"), rf"Token 40: kept by {share:g}\d? % of {valid.shape[0] * valid.shape[1]} heads")
        self.assertEqual(self.browser.run("document.querySelectorAll('#heat .keeps').length"), valid[:, :, 40].sum())

    def test_keys_move_the_slider(self):
        self.keep(0.3)
        self.browser.key("]", "]")
        self.assertEqual(self.text_of("keep-value"), "30.5 %")
        self.browser.run("document.getElementById('keep').focus()")
        self.browser.key("ArrowLeft")
        self.browser.key("ArrowLeft")
        self.assertEqual(self.text_of("keep-value"), "29.5 %")
        self.browser.wait_for("document.getElementById('status').textContent.startsWith('Keep 29.5 %')")

    def test_search(self):
        text = self.document.read_text()
        self.browser.key("/", "/")
        self.browser.type("THE ")
        count = len(re.findall("the ", text, re.IGNORECASE))
        self.assertGreater(count, 10)
        self.assertEqual(self.text_of("matches"), f"1 of {count}")
        self.browser.key("Enter", "\r")
        self.browser.key("Enter", "\r")
        self.assertEqual(self.text_of("matches"), f"3 of {count}")
        for _ in range(3):
            self.browser.key("Enter", "\r", SHIFT)
        self.assertEqual(self.text_of("matches"), f"{count} of {count}")
        self.assertEqual(self.browser.run("[...CSS.highlights.get('current')].map(String)"), [text[m.start():m.end()] for m in
                         list(re.finditer("the ", text, re.IGNORECASE))[-1:]])
        self.assertEqual(self.browser.run("[...CSS.highlights.get('found')].map(String)"),
                         re.findall("the ", text, re.IGNORECASE))
        visible = self.browser.run("(() => { const b = [...CSS.highlights.get('current')][0].getBoundingClientRect();"
                                   "return b.top > 0 && b.bottom < innerHeight; })()")
        self.assertTrue(visible)
        self.browser.screenshot(SHOTS / "search.png")
        self.browser.run("document.getElementById('query').value = ''")
        self.browser.type("(no such [text")
        self.assertEqual(self.text_of("matches"), "no match")

    def test_light_dark_phone_and_paper(self):
        self.keep(0.305)
        for name, width, height, scheme, mobile in [("light", 1280, 800, "light", False), ("dark", 1280, 800, "dark", False),
                                                    ("phone", 390, 844, "light", True)]:
            self.browser.look(width, height, scheme, mobile)
            self.browser.run("scrollTo(0, 0)")
            self.browser.screenshot(SHOTS / f"{name}.png")
            self.assertLessEqual(self.browser.run("document.documentElement.scrollWidth"), width)
        self.browser.look(1280, 800, "light")
        ground = "getComputedStyle(document.body).backgroundColor"
        light = self.browser.run(ground)
        self.browser.click("#theme")
        self.assertNotEqual(self.browser.run(ground), light)
        self.browser.click("#theme")
        self.assertEqual(self.browser.run(ground), light)
        paper = self.browser.call("Page.printToPDF", printBackground=False)["data"]
        (SHOTS / "paper.pdf").write_bytes(base64.b64decode(paper))
        self.assertTrue(base64.b64decode(paper).startswith(b"%PDF"))

    def test_every_control_has_a_name(self):
        self.browser.call("Accessibility.enable")
        nodes = self.browser.call("Accessibility.getFullAXTree")["nodes"]
        roles = {}
        for node in nodes:
            role = node.get("role", {}).get("value")
            roles.setdefault(role, []).append(node.get("name", {}).get("value", ""))
        for role, least in {"slider": 1, "searchbox": 1, "button": 4, "grid": 1, "gridcell": 90, "columnheader": 30,
                            "image": 2, "main": 1, "heading": 4}.items():
            self.assertGreaterEqual(len(roles.get(role, [])), least, role)
            self.assertNotIn("", roles[role], role)

    def test_context_files(self):
        """The same numbers without reading the document again, as far as the file goes."""
        file, page = self.folder / "document.kvz", self.folder / "stored.html"
        kvzip("compress", str(self.document), "-o", str(file), "--keep", "1")
        kvzip("view", str(file), "-o", str(page), "--keep", str(OWN_RATIO))
        self.browser.open(page)
        self.assertEqual(self.text_of("title"), "observatory.txt")
        for ratio in self.scores:
            self.keep(ratio)
            self.compare(ratio, thresholds=False)
        part = self.folder / "part.kvz"
        kvzip("compress", str(file), "-o", str(part), "--keep", "0.305")
        file = part
        kvzip("view", str(file), "-o", str(page), "--keep", str(OWN_RATIO))
        self.browser.open(page)
        self.assertEqual(int(self.browser.run("document.getElementById('keep').max")), RATIOS.index(0.305))
        self.assertIn("30.5 %", self.text_of("part"))
        for ratio in (0.01, OWN_RATIO, 0.305):
            self.keep(ratio)
            self.compare(ratio, thresholds=False)
        done = run("view", str(file), "-o", str(page), "--keep", "0.4")
        self.assertEqual((done.returncode, done.stdout), (2, b""))
        self.assertIn("holds 0.305", done.stderr.decode())

    def test_hostile_document(self):
        text = (b"</script><script>window.hacked = 1</script> <!-- <script> &amp; &lt; <img src=x onerror=hacked=1>\r\n"
                b"bytes \xc3( \x80 escape \x1b[31m bell \x07 \xe2\x80\xae turned \xe2\x80\xac emoji \xf0\x9f\x98\x80 "
                b"<|im_end|> ]]> \\u003c ${hacked} `x` \"quoted\" 'too'\n") * 3
        document = self.folder / "a<b>&amp;'\".txt"
        document.write_bytes(text)
        page = self.folder / "hostile.html"
        kvzip("view", str(document), "-o", str(page))
        self.browser.open(page)
        self.assertEqual(self.text_of("text"), text.decode("utf-8", "replace"))
        self.assertEqual(self.text_of("title"), document.name)
        self.assertEqual(self.browser.run("typeof hacked"), "undefined")
        self.assertEqual(self.browser.run("document.scripts.length"), 2)

    def test_long_document(self):
        """32,768 tokens and 90 heads: the same page with data of our own."""
        tokens, rows = 32768, 90
        source = self.page.read_text()
        begin = source.index('id="data">') + len('id="data">')
        end = source.index("</script>", begin)
        data = json.loads(source[begin:end])
        random = numpy.random.default_rng(5)
        first_kept = random.integers(0, len(RATIOS), (rows, tokens), dtype=numpy.uint8)
        data["texts"] = [f" word{i % 97}" if i % 40 else "\nline" for i in range(tokens)]
        data["first_kept"] = base64.b64encode(first_kept.tobytes()).decode()
        page = self.folder / "long.html"
        page.write_text(source[:begin] + json.dumps(data) + source[end:])
        began = time.monotonic()
        self.browser.open(page)
        opened = time.monotonic() - began
        for step in (0, 57, len(RATIOS) - 1):
            self.keep(RATIOS[step])
            self.assertEqual(number(self.text_of("pairs-kept")), (first_kept <= step).sum())
        # The end of the text is shaded once it comes into sight.
        self.keep(RATIOS[57])
        self.browser.run("scrollTo(0, document.documentElement.scrollHeight)")
        self.browser.settle()
        shown = self.browser.run("[...document.querySelectorAll('#text span span')].slice(-50).map(e => e.className)")
        self.assertEqual(shown, [f"s{shade(share)}" for share in (first_kept[:, -50:] <= 57).mean(axis=0)])
        spent = self.browser.run("(() => { const began = performance.now(); for (let i = 0; i < 20; ++i) {"
                                 "state.step = i * 9; draw(); document.body.offsetHeight; } return (performance.now() - began) / 20; })()")
        print(f"32,768 tokens, 90 heads: page of {page.stat().st_size / 2**20:.1f} MiB, opened in {opened:.2f} s, "
              f"{spent:.1f} ms for a move of the slider", file=sys.stderr)


class Answers(unittest.TestCase):
    QUESTIONS = ["Who chose the hill?", "What is the main telescope called?", "How many books are in the library?"]

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)
        self.document = self.folder / "observatory.txt"
        self.document.write_bytes((ROOT / "data" / "observatory.txt").read_bytes()[:3000])
        self.page = self.folder / "answers.html"

    def data(self):
        source = self.page.read_text()
        begin = source.index('id="data">') + len('id="data">')
        return json.loads(source[begin:source.index("</script>", begin)])

    def test_answers_are_those_of_ask(self):
        """In f32: as the engine normally computes, a row among many is rounded otherwise than one by itself."""
        asked = [str(self.document), *self.QUESTIONS, "--keep", "0.1", "-n", "16", "--weights", "f32"]
        kvzip("view", *asked, "--answers", "-o", str(self.page))
        said = json.loads(kvzip("ask", *asked, "--compare", "--json"))
        data = self.data()
        texts = lambda kind: ["".join(token["text"] for token in each[kind]) for each in data["questions"]]
        self.assertEqual(texts("full"), [each["full"]["text"] for each in said["answers"]])
        self.assertEqual(texts("kept"), [each["kept"]["text"] for each in said["answers"]])
        for each in data["questions"]:
            for memory in ("full", "kept"):  # who answers always says what it finds likeliest
                self.assertEqual([token["top_" + memory] for token in each[memory]], [token["text"] for token in each[memory]])
            for token in each["full"] + each["kept"]:
                self.assertTrue(0 <= token["p_full"] <= 1 and 0 <= token["p_kept"] <= 1)
        with Browser() as browser:
            browser.look(1280, 800)
            browser.open(self.page)
            shown = browser.run("[...document.querySelectorAll('.question')].map(q => [q.querySelector('h2').textContent,"
                                "...[...q.querySelectorAll('.answer')].map(a => a.textContent)])")
            self.assertEqual(shown, [list(row) for row in zip(self.QUESTIONS, texts("full"), texts("kept"))])
            same = sum(full == kept for full, kept in zip(texts("full"), texts("kept")))
            self.assertIn(f"{same} of 3 answers are the same", browser.run("document.getElementById('summary').textContent"))
            rows = browser.run("document.querySelectorAll('tbody tr').length")
            self.assertEqual(rows, sum(len(each["full"]) + len(each["kept"]) for each in data["questions"]))
            marked = browser.run("[...document.querySelectorAll('.question')].map(q => q.querySelectorAll('.other').length > 0)")
            self.assertEqual(marked, [full != kept for full, kept in zip(texts("full"), texts("kept"))])
            browser.screenshot(SHOTS / "answers.png")
            browser.look(390, 844, "dark", True)
            self.assertLessEqual(browser.run("document.documentElement.scrollWidth"), 390)
            browser.screenshot(SHOTS / "answers_phone.png")
            self.assertEqual(browser.problems, [])

    def test_errors(self):
        for words, part in ([["--answers"], "question"], [["Who?"], "--answers"]):
            done = run("view", str(self.document), *words, "-o", str(self.page))
            self.assertEqual((done.returncode, done.stdout), (2, b""))
            self.assertIn(part, done.stderr.decode())
            self.assertFalse(self.page.exists())


if __name__ == "__main__":
    if PROGRAM is None:
        sys.exit(__doc__)
    SHOTS = pathlib.Path(SHOTS)
    SHOTS.mkdir(parents=True, exist_ok=True)
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
