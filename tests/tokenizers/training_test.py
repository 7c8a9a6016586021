#!/usr/bin/env python3
"""Trains tokenizers with `kvzip tokenizer train` and with the PyPI package `tokenizers` on the same corpora and settings.
BPE and WordPiece: vocabulary and merges must be identical, and the package must load our file and encode with it as with
its own. Unigram: our vocabulary must need at most 2 % more tokens for text that neither has seen. Of all files, our own
reader must make the ids that the package makes.

usage: training_test.py KVZIP [--only NAME]
"""
import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

PATTERNS = {
    "llama3": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "qwen2": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
}
ENVIRONMENT = os.environ | {"OMP_WAIT_POLICY": "passive"}
GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden" / "contexts"


def random_words(seed, alphabet, words, longest, distinct=0):
    """Text of `words` random words; `distinct` bounds how many different ones there are."""
    rng = random.Random(seed)
    make = lambda: "".join(rng.choice(alphabet) for _ in range(rng.randint(1, longest)))
    pool = [make() for _ in range(distinct)]
    text = ""
    for _ in range(words):
        text += (rng.choice(pool) if pool else make()) + rng.choice("   \n")
    return text


def corpora():
    """{name: text}"""
    english = (GOLDEN / "lighthouse_and_license.txt").read_text(encoding="utf-8")
    return {
        "english": english,
        "repeated": english * 3,
        "ties": random_words(1, "ab", 4000, 9),
        "more ties": random_words(2, "abcdefgh", 8000, 6),
        "every word once": "\n".join("".join(chr(97 + (n // 26**k) % 26) for k in range(4)) for n in range(0, 400_000, 97)),
        "overlaps": "\n".join("a" * n + "b" * (n % 7) + "a" * (n % 5) for n in range(1, 400)),
        "runs": random_words(3, "aaab", 2000, 40),
        "two ways to one token": random_words(4, "abc", 6000, 30, distinct=900),
        "long words": random_words(5, "abcd", 40, 3000),
        "unicode": random_words(6, "aé\u0301ßжשع中文字日本語한국어😀👩\u200d🚀\u00a0\u2003ﬁ١２", 6000, 8),
        "empty lines": "\n\n\n\na\n\n  \n\t\n b \n\n\nab ab\n\n\n" * 50,
        "carriage returns": english.replace("\n", "\r\n") + "\r\r\n\r a\r",
        "no line feed at the end": "the cat the hat the bat",
        "control characters": random_words(7, "a\x00\x01\x1b\x7f\x85\ufeff\u2028b", 3000, 6),
        "code": pathlib.Path(__file__).read_text(encoding="utf-8") * 2,
        "specials in the text": ("<s> hello </s> <s>hello</s> [X] " * 40 + "\n") * 20,
        "accents": random_words(9, ["e", "e\u0301", "\u00e9", "a\u0323\u0307", "n\u0303", "\u1100\u1161", "x"], 5000, 8),
        "digits": random_words(8, "0123456789.,-+", 5000, 12),
    }


def cases():
    """[(name, corpus, options)]"""
    every = [(name, name, {}) for name in corpora()]
    return every + [
        ("min_frequency 1", "english", {"min_frequency": 1}),
        ("min_frequency 0", "ties", {"min_frequency": 0, "vocab_size": 5000}),
        ("min_frequency 20", "more ties", {"min_frequency": 20}),
        ("few tokens", "english", {"vocab_size": 300}),
        ("no merge", "english", {"vocab_size": 256}),
        ("specials", "specials in the text", {"special_tokens": ["<s>", "</s>", "[X]", "hello", "a"]}),
        ("limit_alphabet", "english", {"limit_alphabet": 256}),
        ("max_token_length 2", "english", {"max_token_length": 2}),
        ("max_token_length 3", "two ways to one token", {"max_token_length": 3}),
        ("max_token_length 5", "runs", {"max_token_length": 5}),
        ("max_token_length 16", "long words", {"max_token_length": 16}),
        ("add_prefix_space", "empty lines", {"add_prefix_space": True}),
        ("add_prefix_space english", "english", {"add_prefix_space": True}),
        ("llama3", "english", {"pattern": "llama3"}),
        ("llama3 code", "code", {"pattern": "llama3"}),
        ("llama3 carriage returns", "carriage returns", {"pattern": "llama3"}),
        ("qwen2", "digits", {"pattern": "qwen2"}),
        ("qwen2 code", "code", {"pattern": "qwen2"}),
        ("one thread", "english", {"threads": 1}),
        ("nfc", "unicode", {"nfc": True}),
        ("nfc accents", "accents", {"nfc": True}),
    ]


def wordpiece_cases():
    return [
        ("wordpiece", "english", {}),
        ("wordpiece lowercase", "english", {"lowercase": True}),
        ("wordpiece unicode", "unicode", {"lowercase": True}),
        ("wordpiece unicode, capitals", "unicode", {}),
        ("wordpiece ties", "more ties", {"min_frequency": 0}),
        ("wordpiece carriage returns", "carriage returns", {"vocab_size": 700}),
        ("wordpiece code", "code", {"lowercase": True, "vocab_size": 900}),
        ("wordpiece control characters", "control characters", {}),
    ]


def settings(options):
    return {"model": "bpe", "vocab_size": 1500, "min_frequency": 2, "special_tokens": [], "limit_alphabet": None,
            "max_token_length": None, "pattern": None, "add_prefix_space": False, "lowercase": False, "nfc": False, "threads": 2} | options


def train_theirs(path, options):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.decoder = decoders.ByteLevel()
    if options["nfc"]:
        tokenizer.normalizer = normalizers.NFC()
    if options["pattern"] is None:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=options["add_prefix_space"])
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(PATTERNS[options["pattern"]]), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    names = ("vocab_size", "min_frequency", "special_tokens", "limit_alphabet", "max_token_length")
    trainer = trainers.BpeTrainer(initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False,
                                  **{name: options[name] for name in names if options[name] is not None})
    tokenizer.train([path], trainer)
    return tokenizer


def train_ours(kvzip, path, output, options):
    command = [kvzip, "tokenizer", "train", path, "-o", output, "-q"]
    for name in ("model", "vocab_size", "min_frequency", "limit_alphabet", "max_token_length", "pattern", "threads"):
        if options[name] is not None:
            command += ["--" + name.replace("_", "-"), str(options[name])]
    for token in options["special_tokens"]:
        command += ["--special", token]
    for name in ("add_prefix_space", "lowercase", "nfc"):
        if options[name]:
            command += ["--" + name.replace("_", "-")]
    subprocess.run(command, check=True, env=ENVIRONMENT)
    return Tokenizer.from_file(output)


def train_their_wordpiece(path, text, options):
    """And the special tokens for both: the package numbers the characters inside of words in an order that changes from
    run to run, unless they are special tokens."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=options["lowercase"])
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    words = tokenizer.pre_tokenizer.pre_tokenize_str(tokenizer.normalizer.normalize_str(text))
    specials = ["[UNK]"] + ["##" + character for character in sorted({c for word, _ in words for c in word[1:]})]
    tokenizer.train([path], trainers.WordPieceTrainer(vocab_size=options["vocab_size"], show_progress=False,
                                                      min_frequency=options["min_frequency"], special_tokens=specials))
    return tokenizer, specials


def train_their_unigram(path, vocab_size):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    tokenizer.train([path], trainers.UnigramTrainer(vocab_size=vocab_size, special_tokens=["<unk>"], unk_token="<unk>",
                                                    show_progress=False))
    return tokenizer


def check_reader(name, kvzip, path, output, ours):
    """Our reader against the package's on the file that we wrote; returns the number of ids."""
    command = [kvzip, "tokenize", path, "--tokenizer", output, "--ids", "-q"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, env=ENVIRONMENT).stdout
    ids = ours.encode(pathlib.Path(path).read_bytes().decode(), add_special_tokens=False).ids
    if [int(word) for word in printed.split()] != ids:
        sys.exit(f"{name}: our reader makes other ids of our file than the package does")
    return len(ids)


def compare(name, text, ours, theirs):
    """The number of merges and encoded tokens that were compared; exits at a difference."""
    mine, other = json.loads(ours.to_str()), json.loads(theirs.to_str())
    if mine["model"].get("merges") != other["model"].get("merges"):
        pairs = zip(mine["model"]["merges"], other["model"]["merges"])
        at = next((i for i, (a, b) in enumerate(pairs) if a != b), "the end")
        sys.exit(f"{name}: merges differ from {at} on ({len(mine['model']['merges'])} and {len(other['model']['merges'])})")
    for part in ("model", "pre_tokenizer", "normalizer", "added_tokens"):
        if mine[part] != other[part]:
            sys.exit(f"{name}: {part} differs")
    ids = ours.encode(text).ids
    if ids != theirs.encode(text).ids:
        sys.exit(f"{name}: ids differ")
    return len(mine["model"].get("merges", mine["model"]["vocab"])), len(ids)


def compare_unigram(kvzip, folder):
    """Tokens of unseen text with both vocabularies."""
    lines = corpora()["english"].splitlines(keepends=True)
    path, output = os.path.join(folder, "corpus.txt"), os.path.join(folder, "tokenizer.json")
    seen = [line for at, line in enumerate(lines) if at % 5]
    pathlib.Path(path).write_text("".join(seen), encoding="utf-8")
    options = settings({"model": "unigram", "vocab_size": 600, "special_tokens": ["<unk>"], "min_frequency": None})
    ours, theirs = train_ours(kvzip, path, output, options), train_their_unigram(path, options["vocab_size"])
    if ours.get_vocab_size() != theirs.get_vocab_size():
        sys.exit(f"unigram: {ours.get_vocab_size()} tokens, {theirs.get_vocab_size()} of the package")
    counts = [sum(len(tokenizer.encode(line).ids) for line in lines[::5]) for tokenizer in (ours, theirs)]
    if counts[0] > 1.02 * counts[1]:
        sys.exit(f"unigram: unseen text needs {counts[0]} tokens, {counts[1]} with the package's vocabulary")
    check_reader("unigram", kvzip, path, output, ours)
    one_thread = pathlib.Path(output).read_bytes()
    train_ours(kvzip, path, output, options | {"threads": 1})
    if pathlib.Path(output).read_bytes() != one_thread:
        sys.exit("unigram: the vocabulary depends on the number of threads")
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kvzip")
    parser.add_argument("--only", help="the case of that name")
    options = parser.parse_args()
    texts, merges, ids, read, trained = corpora(), 0, 0, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for name, corpus, given in cases() + wordpiece_cases():
            if options.only not in (None, name):
                continue
            path, output = os.path.join(folder, "corpus.txt"), os.path.join(folder, "tokenizer.json")
            pathlib.Path(path).write_bytes(texts[corpus].encode())
            wanted = settings(given)
            if name.startswith("wordpiece"):
                theirs, specials = train_their_wordpiece(path, texts[corpus], wanted)
                wanted = wanted | {"model": "wordpiece", "special_tokens": specials}
            else:
                theirs = train_theirs(path, wanted)
            ours = train_ours(options.kvzip, path, output, wanted)
            found = compare(name, texts[corpus], ours, theirs)
            read += check_reader(name, options.kvzip, path, output, ours)
            merges, ids, trained = merges + found[0], ids + found[1], trained + 1
        unigram = compare_unigram(options.kvzip, folder) if options.only in (None, "unigram") else None
    if not trained and not unigram:
        sys.exit(f"no case is named {options.only!r}")
    print(f"{trained} trainings identical to the package: {merges} merges and tokens, {ids} ids of encoded text, "
          f"{read} ids of our reader")
    if unigram:
        print(f"unigram: {unigram[0]} tokens for unseen text, {unigram[1]} with the package's vocabulary")


if __name__ == "__main__":
    main()
