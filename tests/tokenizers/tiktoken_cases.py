#!/usr/bin/env python3
"""Trains byte-level BPE ranks and records what the library `tiktoken` makes of the hard texts, for the pattern of each encoding.
usage: tiktoken_cases.py FOLDER      writes NAME.tiktoken, NAME.options (pattern, then special tokens and their ids, texts in
                                     hexadecimal) and NAME.cases: on each line a text, its ids, and the bytes they decode to
"""
import base64
import pathlib
import sys

import tiktoken
import tiktoken_ext.openai_public
from hard_texts import hard_bytes, hard_texts, training_corpus
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")


def ranks_of(corpus, size):
    """Token bytes by rank, of a BPE that the package `tokenizers` trains."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.train_from_iterator(corpus, trainers.BpeTrainer(vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    printable = [b for b in range(256) if 0x20 < b < 0x7F or (0xA0 < b and b != 0xAD)]
    others = [b for b in range(256) if b not in printable]
    byte_of = {chr(b): b for b in printable} | {chr(0x100 + i): b for i, b in enumerate(others)}
    by_id = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    return {bytes(byte_of[c] for c in token): i for i, (token, _) in enumerate(by_id)}


def encodings(ranks):
    """name -> (pattern, special tokens): as the library has them, where it does."""
    ours = dict(llama3=LLAMA3, qwen=QWEN)
    tiktoken_ext.openai_public.load_tiktoken_bpe = lambda *_, **__: ranks
    tiktoken_ext.openai_public.data_gym_to_mergeable_bpe_ranks = lambda *_, **__: ranks
    for name, make in tiktoken_ext.openai_public.ENCODING_CONSTRUCTORS.items():
        made = make()
        yield name, made["pat_str"], made["special_tokens"]
    for name, pattern in ours.items():
        yield name, pattern, {"<|im_start|>": len(ranks), "<s>": len(ranks) + 7}


def encode(encoding, data):
    """Valid parts as text, each run of other bytes as one piece."""
    ids = []
    while data:
        text = data.decode("utf-8", errors="ignore") if is_utf8(data) else data[:valid_length(data)].decode()
        ids += encoding.encode(text, allowed_special="all")
        data = data[len(text.encode()):]
        end = 0
        while end < len(data) and valid_length(data[end:]) == 0:
            end += 1
        if end:
            ids += encoding._encode_single_piece(data[:end])
        data = data[end:]
    return ids


def is_utf8(data):
    return valid_length(data) == len(data)


def valid_length(data):
    try:
        data.decode()
        return len(data)
    except UnicodeDecodeError as error:
        return error.start


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    ranks = ranks_of(training_corpus(4), 2000)
    texts = [text.encode() for text in hard_texts(12)] + list(hard_bytes(12))
    texts.append(b" ".join(texts)[:200_000])
    for name, pattern, special in encodings(ranks):
        encoding = tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=ranks, special_tokens=special)
        (folder / f"{name}.tiktoken").write_bytes(b"".join(base64.b64encode(token) + b" %d\n" % rank for token, rank in ranks.items()))
        with open(folder / f"{name}.options", "w") as options:
            options.write(pattern.encode().hex() + "\n")
            first = {id: spelling for spelling, id in reversed(special.items())}  # o200k_harmony spells one token in two ways
            options.writelines(f"{spelling.encode().hex()} {id}\n" for id, spelling in first.items())
        with open(folder / f"{name}.cases", "w") as cases:
            for text in texts:
                ids = encode(encoding, text)
                cases.write(f"{text.hex()}\t{' '.join(map(str, ids))}\t{encoding.decode_bytes(ids).hex()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])) if len(sys.argv) == 2 else __doc__)
