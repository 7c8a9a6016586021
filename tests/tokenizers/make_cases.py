"""Makes tokenizer.json files of all kinds and what the package `tokenizers` makes of hard texts with them.

    make_cases.py FOLDER

FOLDER/texts.json        the texts that are encoded
FOLDER/NAME.json         a tokenizer
FOLDER/NAME.cases.json   {"ids": ids of each text, null where the package gives up, "decoded" and "verbatim": of these ids, or of those
                         in "decode_ids", "single" and "pair": the first texts with special tokens, alone and with the next one}
FOLDER/points.json       what single components make of all code points, see points()
"""
import json
import random
import sys
import zlib
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from hard_texts import hard_texts, training_corpus

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
O200K = "|".join([
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+"])
CLIP = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
DEEPSEEK = [r"[\r\n]", r"\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕ]+", r"\s?[!-/:-~！-／：-～‘-‟　-。]+",
            r"\s+$", r"[一-龥ࠀ-一가-퟿]+"]
BEHAVIORS = ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"]
MERGE_NAMES = {"removed": "Removed", "isolated": "Isolated", "merged_with_previous": "MergedWithPrevious", "merged_with_next": "MergedWithNext", "contiguous": "Contiguous"}
TEXTS = hard_texts()
CORPUS = training_corpus()


def train(model, trainer, normalizer=None, pre_tokenizer=None, decoder=None, post=None, corpus=CORPUS, added=()):
    tokenizer = Tokenizer(model)
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    if pre_tokenizer is not None:
        tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.train_from_iterator(corpus, trainer)
    if decoder is not None:
        tokenizer.decoder = decoder
    if post is not None:
        tokenizer.post_processor = post(tokenizer)
    for token in added:
        (tokenizer.add_special_tokens if token.special else tokenizer.add_tokens)([token])
    return tokenizer


def byte_bpe(pre_tokenizer, specials=("<|endoftext|>",), normalizer=None, post=None, size=1200, added=(), **options):
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=list(specials), initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    return train(models.BPE(**options), trainer, normalizer, pre_tokenizer, decoders.ByteLevel(), post, added=added)


def split_bytes(*patterns, digits=False):
    steps = [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in patterns]
    steps += [pre_tokenizers.Digits(True)] if digits else []
    return pre_tokenizers.Sequence([*steps, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def template(single, pair, *names):
    return lambda t: processors.TemplateProcessing(single=single, pair=pair, special_tokens=[(name, t.token_to_id(name)) for name in names])


def byte_level_families():
    gpt2 = pre_tokenizers.ByteLevel(add_prefix_space=False)
    yield "gpt2", byte_bpe(gpt2)
    yield "gpt2_prefix", byte_bpe(pre_tokenizers.ByteLevel(add_prefix_space=True))
    yield "roberta", byte_bpe(pre_tokenizers.ByteLevel(add_prefix_space=False), ["<s>", "<pad>", "</s>", "<unk>"],
                              post=lambda t: processors.RobertaProcessing(("</s>", 2), ("<s>", 0)), added=[AddedToken("<mask>", lstrip=True, special=True)])
    llama3 = byte_bpe(split_bytes(LLAMA3), ["<|begin_of_text|>", "<|eot_id|>", "<|im_start|>"], ignore_merges=True,
                      post=lambda t: processors.Sequence([processors.ByteLevel(), template("<|begin_of_text|> $A", "<|begin_of_text|> $A <|begin_of_text|>:1 $B:1", "<|begin_of_text|>")(t)]))
    yield "llama3", llama3
    yield "qwen2", byte_bpe(split_bytes(QWEN2), ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], normalizers.NFC())
    yield "smollm", byte_bpe(pre_tokenizers.Sequence([pre_tokenizers.Digits(True), gpt2]))
    yield "deepseek", byte_bpe(split_bytes(*DEEPSEEK, digits=True), normalizer=normalizers.Sequence([]))
    yield "o200k", byte_bpe(split_bytes(O200K))
    yield "bytes_only", byte_bpe(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False))
    few = trainers.BpeTrainer(vocab_size=300, special_tokens=["<unk>"], show_progress=False)
    yield "few_bytes", train(models.BPE(unk_token="<unk>"), few, None, gpt2, decoders.ByteLevel(), corpus=["some plain ascii text"])
    yield "few_bytes_fused", train(models.BPE(unk_token="<unk>", fuse_unk=True), few, None, gpt2, decoders.ByteLevel(), corpus=["some plain ascii text"])
    yield "few_bytes_dropped", train(models.BPE(), trainers.BpeTrainer(vocab_size=300, show_progress=False), None, gpt2, decoders.ByteLevel(), corpus=["some plain ascii text"])


def all_families():
    yield from byte_level_families()


def results(tokenizer, texts, decode_ids=None):
    def encode(text):
        try:
            return tokenizer.encode(text, add_special_tokens=False).ids
        except Exception:  # the package gives up where the vocabulary has no unknown token
            return None

    ids = [encode(text) for text in texts]
    case = {"ids": ids}
    if decode_ids is not None:
        case["decode_ids"] = decode_ids
    decoded = [one or [] for one in (ids if decode_ids is None else decode_ids)]
    case["decoded"] = tokenizer.decode_batch(decoded, skip_special_tokens=True)
    case["verbatim"] = tokenizer.decode_batch(decoded, skip_special_tokens=False)
    if tokenizer.post_processor is not None:
        few = texts[10:40]
        case["single"] = [tokenizer.encode(text).ids for text in few]
        case["pair"] = [tokenizer.encode(a, b).ids for a, b in zip(few, few[1:])]
    return case


def main(folder):
    folder = Path(folder)
    (folder / "texts.json").write_text(json.dumps(TEXTS))
    for name, tokenizer, *rest in all_families():
        tokenizer.save(str(folder / f"{name}.json"))
        reloaded = Tokenizer.from_file(str(folder / f"{name}.json"))
        (folder / f"{name}.cases.json").write_text(json.dumps(results(reloaded, TEXTS, *rest)))


if __name__ == "__main__":
    main(sys.argv[1])
