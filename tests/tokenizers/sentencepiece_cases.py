#!/usr/bin/env python3
"""Trains small SentencePiece models of every kind and records what the library `sentencepiece` makes of the hard texts, and what
the package `tokenizers` does with the pieces of Unigram models.
usage: sentencepiece_cases.py FOLDER      writes NAME.model and NAME.cases: on each line a text, its ids, and the decoded text; the texts
                                          in hexadecimal. NAME.pieces: pieces (hexadecimal) and scores, NAME.ids: lines as in .cases
"""
import io
import pathlib
import random
import sys

import sentencepiece as spm
from hard_texts import hard_bytes, hard_texts, training_corpus
from tokenizers import Tokenizer, models

SYMBOLS = dict(user_defined_symbols=["<sep>", "▁▁", "▁▁▁", "##", "\n", "é漢", "don't", "a b"], control_symbols=["<start_of_turn>", "x_"])
PLAIN = dict(normalization_rule_name="identity", add_dummy_prefix=False, remove_extra_whitespaces=False)
MODELS = {
    "unigram": dict(model_type="unigram", vocab_size=1200),
    "unigram_plain_bytes": dict(model_type="unigram", vocab_size=1500, byte_fallback=True, **PLAIN, **SYMBOLS),
    "unigram_cf_suffix": dict(model_type="unigram", vocab_size=900, normalization_rule_name="nmt_nfkc_cf", treat_whitespace_as_suffix=True, character_coverage=0.98),
    "unigram_across_spaces": dict(model_type="unigram", vocab_size=1500, split_by_whitespace=False, normalization_rule_name="nfkc", remove_extra_whitespaces=False, unk_surface="<?>", **SYMBOLS),
    "bpe": dict(model_type="bpe", vocab_size=1200, character_coverage=0.98),
    "bpe_llama": dict(model_type="bpe", vocab_size=1500, byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False, split_digits=True, allow_whitespace_only_pieces=True),
    "bpe_gemma": dict(model_type="bpe", vocab_size=1600, byte_fallback=True, split_by_whitespace=False, **PLAIN, **SYMBOLS),
    "bpe_symbols": dict(model_type="bpe", vocab_size=1000, normalization_rule_name="nfkc_cf", **SYMBOLS),
    "bpe_suffix": dict(model_type="bpe", vocab_size=1000, treat_whitespace_as_suffix=True, normalization_rule_name="identity"),
    "char": dict(model_type="char", vocab_size=400, **SYMBOLS),
    "char_bytes": dict(model_type="char", vocab_size=700, byte_fallback=True, **PLAIN),
    "word": dict(model_type="word", vocab_size=500, **SYMBOLS),
    "denormalizing": dict(model_type="unigram", vocab_size=900, denormalization_rule_tsv="denormalize.tsv"),
}


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def with_unused(model, rng):
    """The model with every fifth normal piece made unused: type 5 is appended to its message."""
    out, at = bytearray(), 0
    while at < len(model):
        begin = at
        tag, at = varint(model, at)
        length, at = varint(model, at)  # every field of the outermost message is length-delimited
        body, at = model[at:at + length], at + length
        if tag == 0x0A and b"\x18" not in body[-2:] and rng.random() < 0.2:
            body += b"\x18\x05"
            assert len(body) < 128
            out += bytes([tag, len(body)]) + body
        else:
            out += model[begin:at]
    return bytes(out)


def record(folder, name, model, texts):
    (folder / f"{name}.model").write_bytes(model)
    processor = spm.SentencePieceProcessor(model_proto=model)
    with open(folder / f"{name}.cases", "w") as cases:
        for text in texts:
            ids = processor.encode(text)
            cases.write(f"{text.hex()}\t{' '.join(map(str, ids))}\t{processor.decode(ids).encode().hex()}\n")
        rng = random.Random(5)
        for _ in range(300):  # ids as no text gives them
            ids = [rng.randrange(processor.vocab_size()) for _ in range(rng.randrange(1, 12))]
            cases.write(f"-\t{' '.join(map(str, ids))}\t{processor.decode(ids).encode().hex()}\n")


def record_unigram(folder, name, model, texts):
    """The bare model of the package, without any normalization."""
    processor = spm.SentencePieceProcessor(model_proto=model)
    pieces = [(processor.id_to_piece(i), processor.get_score(i)) for i in range(processor.vocab_size())]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=processor.unk_id(), byte_fallback="bytes" in name))
    (folder / f"{name}.pieces").write_text("".join(f"{piece.encode().hex()} {score!r}\n" for piece, score in pieces))
    with open(folder / f"{name}.ids", "w") as cases:
        for text in texts:
            try:
                spelled = text.decode().replace(" ", "▁")
            except UnicodeDecodeError:
                continue
            ids = tokenizer.encode(spelled, add_special_tokens=False).ids
            cases.write(f"{spelled.encode().hex()}\t{' '.join(map(str, ids))}\t\n")


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "denormalize.tsv").write_text("61\t41\n62 63\t2603 20\n")  # a -> A, bc -> snowman and a space
    corpus = list(training_corpus(3))
    texts = [text.encode() for text in hard_texts(11)] + list(hard_bytes(11))
    texts.append(b" ".join(texts)[:200_000])
    texts.append("\n".join(corpus).encode()[:150_000])
    for name, options in MODELS.items():
        options = dict(options)
        if "denormalization_rule_tsv" in options:
            options["denormalization_rule_tsv"] = str(folder / options["denormalization_rule_tsv"])
        writer = io.BytesIO()
        spm.SentencePieceTrainer.train(sentence_iterator=iter(corpus), model_writer=writer, hard_vocab_limit=False, minloglevel=2, num_threads=1, **options)
        record(folder, name, writer.getvalue(), texts)
        if name.startswith("unigram"):
            record_unigram(folder, name, writer.getvalue(), texts)
        if name in ("bpe_llama", "unigram", "bpe_gemma"):
            record(folder, name + "_unused", with_unused(writer.getvalue(), random.Random(9)), texts)
    return 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])) if len(sys.argv) == 2 else __doc__)
