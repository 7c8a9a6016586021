#!/usr/bin/env python3
"""The page of `kvzip attention` in a real browser: switches layers, heads, views and texts, and compares the lines and shares that it shows with the
numbers that `--tensor` writes. Screenshots are kept in FOLDER.

usage: attention_test.py KVZIP FOLDER
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import numpy

from browser import Browser, PageTest
from view_test import tensors

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM, SHOTS = sys.argv[1:3] if len(sys.argv) >= 3 else (None, None)
TINY = ROOT / "tests" / "golden" / "tiny"
TEXT = "The keeper of the lighthouse lit the lamp because it was dark."
PAIR = ("Who lit the lamp?", "The keeper of the old lighthouse lit it every night, reading a book by the sea.")
FAINTEST = 0.01


def run(*words):
    return subprocess.run([PROGRAM, "attention", *map(str, words), "-q"], env=os.environ | {"OMP_WAIT_POLICY": "passive"}, capture_output=True)


def shown(weights):
    """What becomes of the numbers in the page's bytes."""
    return (numpy.round(255 * numpy.sqrt(weights)) / 255) ** 2


class AttentionPage(PageTest):
    MODEL, TEXTS = "", ()

    @classmethod
    def make(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        folder = pathlib.Path(cls.scratch.name)
        cls.page, out = folder / "page.html", folder / "out.safetensors"
        done = run(*cls.TEXTS, *(["-m", cls.MODEL] if cls.MODEL else []), "-o", cls.page, "--tensor", out, "--json")
        assert done.returncode == 0, done.stderr.decode()
        cls.said = json.loads(done.stdout)
        cls.weights = tensors(out)["attention"]  # [layers, heads, from, to]

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def lines(self):
        """How many are drawn, by head."""
        drawn = self.browser.run("[...document.querySelectorAll('#lines path')].map(p => [Number(p.dataset.head), Number(p.dataset.lines)])")
        counts = {}
        for head, count in drawn:
            counts[head] = counts.get(head, 0) + count
        return counts

    def expect_lines(self, layer, heads, mask=None):
        weights = shown(self.weights[layer]) >= FAINTEST
        if mask is not None:
            weights = weights & mask
        self.assertEqual(self.lines(), {head: int(weights[head].sum()) for head in heads if weights[head].any()})

    def press(self, selector):
        self.browser.click(selector)

    def choose(self, element, value):
        self.browser.run(f"(() => {{ const e = document.getElementById('{element}'); e.value = '{value}';"
                         "e.dispatchEvent(new Event('change')); })()")
        self.browser.settle()

    def shades(self, side):
        classes = self.browser.run(f"[...document.querySelectorAll('#{side} li')].map(e => e.title)")
        return [float(title.split()[0]) / 100 if title else 0 for title in classes]


class Decoder(AttentionPage):
    TEXTS = ("--text", TEXT)

    @classmethod
    def setUpClass(cls):
        cls.make()

    def test_layers_and_heads(self):
        layers, heads, tokens, _ = self.weights.shape
        self.assertEqual((layers, heads), (30, 9))
        self.assertTrue(numpy.allclose(self.weights.sum(-1), 1, atol=1e-4))
        self.assertEqual(numpy.triu(self.weights, 1).max(), 0)
        texts = self.browser.run("[...document.querySelectorAll('#from li')].map(e => e.textContent)")
        self.assertEqual("".join(texts).replace("\u00b7", " "), TEXT)
        self.expect_lines(0, range(heads))
        self.choose("layer", 7)
        self.expect_lines(7, range(heads))
        self.browser.key("]", "]")
        self.expect_lines(8, range(heads))
        self.press("#no-heads")
        self.assertEqual(self.lines(), {})
        self.press("#heads button:nth-child(3)")
        self.browser.key("5", "5")
        self.expect_lines(8, [2, 4])
        self.browser.screenshot(SHOTS / "attention_two_heads.png")
        self.press("#all-heads")
        self.expect_lines(8, range(heads))

    def test_one_token(self):
        tokens = self.weights.shape[2]
        self.choose("layer", 3)
        self.browser.run("document.querySelectorAll('#from li')[9].focus()")
        self.browser.settle()
        mask = numpy.zeros((tokens, tokens), bool)
        mask[9] = True
        self.expect_lines(3, range(9), mask)
        expected = shown(self.weights[3, :, 9]).mean(0)
        numpy.testing.assert_allclose(self.shades("to"), expected, atol=1e-3)
        self.browser.screenshot(SHOTS / "attention_token.png")
        self.assertRegex(self.browser.run("document.getElementById('status').textContent"), r"token 9, looks at: .* \d")
        self.browser.key("ArrowUp")
        mask[9], mask[8] = False, True
        self.expect_lines(3, range(9), mask)
        self.browser.key("ArrowRight")  # the same token, as one that is looked at
        mask[8], mask[:, 8] = False, True
        self.expect_lines(3, range(9), mask)
        numpy.testing.assert_allclose(self.shades("from"), shown(self.weights[3, :, :, 8]).mean(0), atol=1e-3)
        self.browser.key("Escape")
        self.expect_lines(3, range(9))

    def test_model_view(self):
        self.press("#show-model")
        self.assertEqual(self.browser.run("document.querySelectorAll('#grid canvas').length"), 270)
        self.assertFalse(self.browser.run("document.getElementById('model-view').hidden"))
        inked = "(() => { const c = document.querySelector('#grid canvas'); return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(v => v > 0); })()"
        self.browser.wait_for(inked)
        self.browser.screenshot(SHOTS / "attention_model.png")
        self.press("#grid [data-layer='4'][data-head='6']")
        self.assertFalse(self.browser.run("document.getElementById('head-view').hidden"))
        self.assertEqual(self.browser.run("document.getElementById('layer').value"), "4")
        self.expect_lines(4, [6])
        self.browser.key("m", "m")
        self.browser.run("document.querySelector('#grid button').focus()")
        self.browser.key("ArrowDown")
        self.browser.key("ArrowRight")
        self.assertEqual(self.browser.run("document.activeElement.getAttribute('aria-label')"), "Layer 1, head 1")

    def test_light_dark_phone_and_names(self):
        for name, width, height, scheme, mobile in [("light", 1280, 900, "light", False), ("dark", 1280, 900, "dark", False),
                                                    ("phone", 390, 844, "light", True)]:
            self.browser.look(width, height, scheme, mobile)
            self.choose("layer", 5)
            self.browser.screenshot(SHOTS / f"attention_{name}.png")
            self.assertLessEqual(self.browser.run("document.documentElement.scrollWidth"), width)
        self.browser.call("Accessibility.enable")
        roles = {}
        for node in self.browser.call("Accessibility.getFullAXTree")["nodes"]:
            roles.setdefault(node.get("role", {}).get("value"), []).append(node.get("name", {}).get("value", ""))
        for role, least in {"button": 14, "combobox": 1, "list": 2, "image": 1, "main": 1, "heading": 1}.items():
            self.assertGreaterEqual(len(roles.get(role, [])), least, role)
            self.assertNotIn("", roles[role], role)


class Pair(AttentionPage):
    MODEL, TEXTS = TINY / "bert", ("--text", PAIR[0], "--pair", PAIR[1], "--weights", "f32")

    @classmethod
    def setUpClass(cls):
        cls.make()

    def test_texts_of_a_pair(self):
        golden = json.loads((TINY / "bert" / "golden.json").read_text())[1]
        expected = tensors(TINY / "bert" / "golden.safetensors")["attention_1"]
        self.assertLessEqual(numpy.abs(self.weights - expected).max(), 1e-5)
        types = numpy.array(golden["types"])
        self.expect_lines(0, range(4))
        for value in ("00", "01", "10", "11"):
            self.choose("pair", value)
            mask = (types[:, None] == int(value[0])) & (types[None] == int(value[1]))
            self.expect_lines(0, range(4), mask)
            out = self.browser.run("[...document.querySelectorAll('#to li')].map(e => e.classList.contains('out'))")
            self.assertEqual(out, [bool(t != int(value[1])) for t in types])
        self.choose("pair", "01")
        self.browser.screenshot(SHOTS / "attention_pair.png")
        self.choose("pair", "")
        self.expect_lines(0, range(4))
        self.assertEqual(self.browser.run("document.querySelector('#from li').textContent"), "[CLS]")


class Command(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)
        self.page = self.folder / "page.html"

    def expect_error(self, code, part, *words):
        done = run(*words)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertRegex(done.stderr.decode(), rf"\Akvzip: [^\n]*{re.escape(part)}[^\n]*\n\Z")
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_errors(self):
        self.expect_error(2, "neither", "--text", "a")
        self.expect_error(2, "FILE or --text", "-o", self.page)
        for wrong in ("5", "5:5", "7:3", "a:b", "-1:4", "1:2:3", ":x"):
            self.expect_error(2, "--tokens", "--text", "a b c", "-o", self.page, f"--tokens={wrong}")
        self.expect_error(1, "range among the text's", "--text", "a b c", "-o", self.page, "--tokens", "1:400")
        self.expect_error(1, "expected at most 431 for a page of 270 heads, found 900; --tokens 0:431", "--text", "a " * 899 + "a", "-o", self.page)
        self.expect_error(1, "pair", "--text", "a", "--pair", "b", "-o", self.page)

    def test_a_part_of_a_long_text(self):
        done = run(ROOT / "data" / "observatory.txt", "--tokens", "1000:1040", "-o", self.page, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["tokens"], [1000, 1040])
        with Browser() as browser:
            browser.open(self.page)
            self.assertIn("Tokens 1,000 to 1,039", browser.run("document.getElementById('range-note').textContent"))
            self.assertEqual(browser.run("document.querySelectorAll('#from li').length"), 40)
            self.assertEqual(browser.problems, [])

    def test_hostile_text(self):
        text = "</script><script>hacked = 1</script> <!-- <img src=x onerror=hacked=1> &lt;"
        self.assertEqual(run("--text", text, "-o", self.page).returncode, 0)
        with Browser() as browser:
            browser.open(self.page)
            self.assertEqual(browser.run("typeof hacked"), "undefined")
            self.assertEqual(browser.run("document.scripts.length"), 2)
            self.assertEqual(browser.problems, [])


if __name__ == "__main__":
    if PROGRAM is None:
        sys.exit(__doc__)
    SHOTS = pathlib.Path(SHOTS)
    SHOTS.mkdir(parents=True, exist_ok=True)
    del AttentionPage
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
