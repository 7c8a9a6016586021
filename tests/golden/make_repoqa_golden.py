"""Makes metrics/repoqa.json: what SCBench's metric for repoqa gives, stated with the packages that it is made of: nltk's
sentence_bleu() with smoothing method 4, and tree_sitter_languages' grammars with RepoQA's queries. Run with nltk 3.10.4,
tree-sitter 0.21.3 and tree-sitter-languages 1.10.2: python make_repoqa_golden.py

    bleu      [[candidate, reference, value]]
    blocks    [[language, answer, function]]             what of an answer is compared
    comments  [[language, code, code without comments]]
    matches   [{language, answer, functions: {name: code}, kept, removed}], the last two {name, similarity}"""
import json
import pathlib
import random
import re

from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu
from tree_sitter_languages import get_language, get_parser

FUNCTION = {
    "python": "(function_definition name: (_)) @f",
    "java": "(method_declaration name: (_)) @f",
    "typescript": "(function_declaration name: (_)) @f",
    "rust": "(function_item name: (_)) @f",
    "cpp": "(function_definition declarator: (function_declarator declarator: (identifier))) @f",
    "go": "(function_declaration name: (_)) @f",
}
BLOCK_AND_LINE = ["(line_comment) @c", "(block_comment) @c"]
COMMENTS = {
    "python": ["(block (expression_statement (string) @c))", "(comment) @c"],
    "java": BLOCK_AND_LINE, "rust": BLOCK_AND_LINE,
    "cpp": ["(comment) @c"], "typescript": ["(comment) @c"], "go": ["(comment) @c"],
}
FENCED = re.compile(r"^```(?:\w+)?\s*\n(.*?)(?=^```)```", re.DOTALL | re.MULTILINE)

CODE = {
    "python": [
        'def area(w, h):\n    """The area\n    of a box."""\n    # both in metres\n    return w * h  # square metres\n',
        'class Box:\n    def __init__(self, w):\n        \'single\'\n        self.w = w\n\n    async def grow(self, by=1):\n'
        '        text = "# no comment"\n        self.w += by\n        return text\n',
        '@cached\ndef outer(x):\n    def inner(y):\n        return y + 1\n    return inner(x)\n',
        'def Größe(maß):\n    """Maß in µm"""\n    return maß * 1000\n',
        'def broken(:\n    return 1\n',
        'x = 1\ny = 2\n',
    ],
    "java": [
        '/** Doc. */\npublic class A {\n  // adds\n  int add(int a, int b) { /* here */ return a + b; }\n  String s() { return "// no"; }\n}\n',
        'int twice(int a) {\n  return 2 * a; // two\n}\n',
    ],
    "typescript": [
        '// first\nexport function join(parts: string[]): string {\n  /* all */ return parts.join("/*");\n}\n',
        'const f = (a: number) => a;\nfunction g<T>(x: T): T { return x; }\n',
    ],
    "rust": [
        '/// Doc\nfn max(a: i32, b: i32) -> i32 {\n    // larger\n    if a > b { a } else { b } /* done */\n}\n',
        'impl A { pub fn len(&self) -> usize { self.0.len() } }\n',
    ],
    "cpp": [
        '// sum\nint sum(const std::vector<int>& v) {\n  int s = 0; /* all */\n  for (int x : v) s += x;\n  return s;\n}\n',
        'void A::run() { go(); }\nstatic bool ok() { return true; }\n',
        'template <class T>\nT id(T x) { return x; }  // same\n',
    ],
    "go": [
        '// Add adds.\nfunc Add(a, b int) int {\n\t/* sum */\n\treturn a + b // here\n}\n',
        'func (s *Stack) Push(x int) { s.x = append(s.x, x) }\nfunc New() *Stack { return &Stack{} }\n',
    ],
}


def similarity(candidate, reference):
    words = [re.split(r"\s+", text.strip()) for text in (candidate, reference)]
    return sentence_bleu([words[1]], words[0], smoothing_function=SmoothingFunction().method4)


def captured(language, query, code):
    root = get_parser(language).parse(code).root_node
    return [node for node, _ in get_language(language).query(query).captures(root)]


def function_of(language, answer):
    blocks = FENCED.findall(answer.strip())
    for block in blocks:
        code = block.encode()
        found = captured(language, FUNCTION[language], code)
        if found:
            return code[found[0].start_byte:found[0].end_byte].decode()
    return blocks[0] if blocks else answer.strip()


def without_comments(language, text):
    code = text.encode()
    nodes = [node for query in COMMENTS[language] for node in captured(language, query, code)]
    for node in sorted(nodes, key=lambda node: node.start_byte, reverse=True):
        code = code[:node.start_byte] + code[node.end_byte:]
    return code.decode()


def match(language, answer, functions, strip):
    best, name = 0, None
    given = strip(function_of(language, answer))
    for each, code in functions.items():
        value = similarity(given, strip(code))
        if value > best:
            best, name = value, each
    return {"name": name, "similarity": best}


def changed(code, share, rng):
    """A share of the words dropped, doubled or replaced."""
    out = []
    for piece in re.split(r"(\s+)", code):
        chance = rng.random() * 3
        out += [] if chance < share else [piece, " ", piece] if chance < 2 * share else ["other"] if chance < 3 * share else [piece]
    return "".join(out)


def main():
    rng = random.Random(7)
    words = ["a", "b", "c", "return", "(x)", "é", "=="]
    sentences = lambda: " ".join(rng.choice(words[:rng.randint(1, 7)]) for _ in range(rng.choice([0, 1, 2, 3, 4, 5, 9, 30])))
    bleu = [[a, b, similarity(a, b)] for a, b in [(sentences(), sentences()) for _ in range(300)]]
    bleu += [["x\u00a0y \u2003z\x1cw", "x y z w", similarity("x\u00a0y \u2003z\x1cw", "x y z w")]]
    blocks, comments, matches = [], [], []
    for language, codes in CODE.items():
        for code in codes:
            comments.append([language, code, without_comments(language, code)])
            for answer in [code, f"Here it is:\n```{language}\n{code}```\nDone.", f"```\nnothing here\n```\n```\n\n \n{code}\n```",
                           f"```{language} code\n{code}```", f"```{language}\n{code}", f"  ```\n{code}\n```", f"```{language}\n{code}```{language}\n{code}```",
                           "```\n```", "```x\n\n```\n```y\nz\n```", ""]:
                blocks.append([language, answer, function_of(language, answer)])
        functions = {f"f{i}": code for i, code in enumerate(codes)}
        for code in codes:
            for share in (0, 0.03, 0.15, 0.4):
                answer = f"The function:\n```{language}\n{changed(code, share, rng)}```\n"
                matches.append({"language": language, "answer": answer, "functions": functions,
                                "kept": match(language, answer, functions, lambda text: text),
                                "removed": match(language, answer, functions, lambda text: without_comments(language, text))})
    target = pathlib.Path(__file__).parent / "metrics" / "repoqa.json"
    target.write_text(json.dumps({"bleu": bleu, "blocks": blocks, "comments": comments, "matches": matches}, ensure_ascii=False) + "\n")


main()
