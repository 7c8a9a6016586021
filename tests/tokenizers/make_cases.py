"""Makes tokenizer.json files of all kinds and what the package `tokenizers` makes of hard texts with them.

    make_cases.py FOLDER tokenizers|points

With `tokenizers`:
FOLDER/texts.json        the texts that are encoded
FOLDER/NAME.json         a tokenizer
FOLDER/NAME.cases.json   {"ids": ids of each text, null where the package gives up, false where it breaks, "decoded" and "verbatim": of these ids, or of those
                         in "decode_ids", "single" and "pair": the first texts with special tokens, alone and with the next one}
With `points`:
FOLDER/points.json       what single components make of all code points, see points()
"""
import base64
import io
import json
import os
import random
import sys
import zlib
from pathlib import Path

import sentencepiece
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
FEW = TEXTS[:52]
CORPUS = training_corpus(lines=1500)


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


def character_families():
    """Gemma, Llama 2 and Mistral, CLIP: BPE over characters."""
    spaced = [line.replace(" ", "▁") for line in CORPUS]
    byte_tokens = [f"<0x{byte:02X}>" for byte in range(256)]
    llama_decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])

    def bpe(specials, **options):
        return models.BPE(**options), trainers.BpeTrainer(vocab_size=1500, special_tokens=[*specials, *byte_tokens], show_progress=False, limit_alphabet=300, max_token_length=12)

    def unspecial(tokenizer, **changes):
        """Byte tokens must be in the vocabulary but not among the added tokens; training knows no other way."""
        data = json.loads(tokenizer.to_str())
        data["added_tokens"] = [token for token in data["added_tokens"] if not token["content"].startswith("<0x")]
        for key, value in changes.items():
            data[key] = value
        return Tokenizer.from_str(json.dumps(data))

    legacy = train(*bpe(["<unk>", "<s>", "</s>"], unk_token="<unk>", fuse_unk=True, byte_fallback=True), corpus=["▁" + line for line in spaced])
    legacy.decoder = llama_decoder
    legacy.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    legacy.post_processor = template("<s> $A", "<s> $A <s>:1 $B:1", "<s>")(legacy)
    yield "llama2", unspecial(legacy)
    for scheme in ("first", "always", "never"):
        for split in (True, False):
            mistral = unspecial(legacy, normalizer=None)
            mistral.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=split)
            mistral.decoder = decoders.Metaspace(prepend_scheme=scheme)
            yield f"mistral_{scheme}_{split}", mistral
    gemma = unspecial(legacy, normalizer=None)
    gemma.normalizer = normalizers.Replace(" ", "▁")
    gemma.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    gemma.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    gemma.add_tokens([AddedToken(token, normalized=False) for token in ["\n", "\n\n", "\n\n\n", "▁▁", "▁▁▁", "<table>"]])
    gemma.add_special_tokens(["<bos>", "<start_of_turn>", "<end_of_turn>"])
    yield "gemma", gemma
    clip_trainer = trainers.BpeTrainer(vocab_size=900, special_tokens=["<|startoftext|>", "<|endoftext|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), end_of_word_suffix="</w>", show_progress=False)
    clip = train(models.BPE(unk_token="<|endoftext|>", end_of_word_suffix="</w>"), clip_trainer,
                 normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]),
                 pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(CLIP), "removed", invert=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]), decoders.BPEDecoder("</w>"),
                 lambda t: processors.BertProcessing(("<|endoftext|>", 1), ("<|startoftext|>", 0)))
    yield "clip", clip
    prefixed = trainers.BpeTrainer(vocab_size=900, special_tokens=["[UNK]"], continuing_subword_prefix="##", limit_alphabet=150, show_progress=False)
    yield "prefixed", train(models.BPE(unk_token="[UNK]", continuing_subword_prefix="##"), prefixed, normalizers.NFKC(), pre_tokenizers.Whitespace(), decoders.WordPiece())
    plain = trainers.BpeTrainer(vocab_size=600, special_tokens=["<unk>"], limit_alphabet=100, max_token_length=6, show_progress=False)
    for fuse in (False, True):
        yield f"plain_{fuse}", train(models.BPE(unk_token="<unk>", fuse_unk=fuse), plain)
    some_bytes = legacy_with_some_bytes(legacy)
    yield "some_bytes", some_bytes


def legacy_with_some_bytes(legacy):
    """Byte tokens for a part of the bytes only: unknown characters that some have and some have not."""
    data = json.loads(legacy.to_str())
    names = sorted((token for token in data["model"]["vocab"] if not (token.startswith("<0x") and int(token[3:5], 16) % 3 == 0 and token != "<0x0A>")), key=data["model"]["vocab"].get)
    data["model"]["vocab"] = {token: i for i, token in enumerate(names)}
    data["added_tokens"] = [dict(token, id=data["model"]["vocab"][token["content"]]) for token in data["added_tokens"] if token["content"] in ("<unk>", "<s>", "</s>")]
    data["post_processor"] = None
    return Tokenizer.from_str(json.dumps(data))


def word_families():
    """BERT and word lists."""
    for cased in (False, True):
        bert = train(models.WordPiece(unk_token="[UNK]"), trainers.WordPieceTrainer(vocab_size=1200, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], limit_alphabet=250, show_progress=False),
                     normalizers.BertNormalizer(lowercase=not cased), pre_tokenizers.BertPreTokenizer(), decoders.WordPiece(cleanup=not cased), template("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", "[CLS]", "[SEP]"))
        yield f"bert_{'cased' if cased else 'uncased'}", bert
    short = json.loads(bert.to_str())
    short["model"].update(max_input_chars_per_word=5, continuing_subword_prefix="")
    yield "wordpiece_short", Tokenizer.from_str(json.dumps(short))
    yield "wordlevel", train(models.WordLevel(unk_token="[UNK]"), trainers.WordLevelTrainer(vocab_size=500, special_tokens=["[UNK]"], show_progress=False), None, pre_tokenizers.WhitespaceSplit())
    yield "wordlevel_strict", train(models.WordLevel(unk_token="[UNK]"), trainers.WordLevelTrainer(vocab_size=500, show_progress=False), normalizers.NFD(), pre_tokenizers.Whitespace(), decoders.Fuse())


def charsmap():
    """The normalization map nmt_nfkc, out of a SentencePiece model: field 2 of field 3, bytes both."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(["some plain text to train on", "more of it"]), model_writer=model, vocab_size=20, hard_vocab_limit=False, minloglevel=2)

    def field(data, wanted):
        at = 0

        def varint():
            nonlocal at
            value = shift = 0
            while True:
                byte = data[at]
                at += 1
                value |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    return value

        while at < len(data):
            key = varint()
            size = {0: lambda: (varint(), 0)[1], 1: lambda: 8, 2: varint, 5: lambda: 4}[key & 7]()
            if key >> 3 == wanted:
                return data[at : at + size]
            at += size
        return None

    return base64.b64encode(field(field(model.getvalue(), 3), 2)).decode()


def unigram_families():
    """T5, XLM-R, ALBERT and mBART: Unigram, most with SentencePiece's normalization map."""
    precompiled = {"type": "Precompiled", "precompiled_charsmap": charsmap()}

    def unigram(normalizer, pre_tokenizer, decoder, post=None, corpus=CORPUS, **changes):
        trainer = trainers.UnigramTrainer(vocab_size=800, special_tokens=["<pad>", "<s>", "</s>", "<unk>"], unk_token="<unk>", max_piece_length=10, show_progress=False)
        tokenizer = train(models.Unigram(), trainer, None, pre_tokenizer, decoder, post, corpus)
        data = json.loads(tokenizer.to_str())
        data["normalizer"] = normalizer
        data["model"].update(changes)
        return Tokenizer.from_str(json.dumps(data))

    metaspace = pre_tokenizers.Metaspace()
    yield "t5", unigram(precompiled, pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), metaspace]), decoders.Metaspace(), template("$A </s>", "$A </s> $B </s>", "</s>"))
    spaces = {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}
    yield "xlmr", unigram({"type": "Sequence", "normalizers": [precompiled, spaces]}, metaspace, decoders.Metaspace(), template("<s> $A </s>", "<s> $A </s> </s> $B </s>", "<s>", "</s>"))
    yield "mbart_first", unigram(precompiled, pre_tokenizers.Metaspace(prepend_scheme="first", split=False), decoders.Metaspace(prepend_scheme="first"))
    yield "unigram_plain", unigram(None, None, None)
    yield "unigram_scripts", unigram({"type": "Nmt"}, pre_tokenizers.Sequence([pre_tokenizers.UnicodeScripts(), pre_tokenizers.Digits(True), metaspace]), decoders.Metaspace())
    data = json.loads(unigram(None, metaspace, decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])).to_str())
    data["model"]["vocab"] += [[f"<0x{byte:02X}>", -20.0] for byte in range(256)]
    data["model"]["byte_fallback"] = True
    yield "unigram_bytes", Tokenizer.from_str(json.dumps(data))
    yield "precompiled", Tokenizer.from_str(json.dumps(dict(json.loads(transparent().to_str()), normalizer=precompiled)))


def transparent(normalizer=None, pre_tokenizer=None, added=(), specials=()):
    """Its ids are the bytes of the words, with the first of each told from the others."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {token: i for i, token in enumerate(alphabet + ["##" + letter for letter in alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab, [], continuing_subword_prefix="##"))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    spell = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = spell if pre_tokenizer is None else pre_tokenizers.Sequence([pre_tokenizer, spell])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_tokens(list(added))
    tokenizer.add_special_tokens(list(specials))
    return tokenizer


def all_normalizers():
    yield from {
        "nfc": normalizers.NFC(), "nfd": normalizers.NFD(), "nfkc": normalizers.NFKC(), "nfkd": normalizers.NFKD(), "lowercase": normalizers.Lowercase(),
        "strip": normalizers.Strip(), "lstrip": normalizers.Strip(True, False), "rstrip": normalizers.Strip(False, True), "strip_accents": normalizers.StripAccents(),
        "nmt": normalizers.Nmt(), "byte_level": normalizers.ByteLevel(), "prepend": normalizers.Prepend("▁x"),
        "replace_string": normalizers.Replace("a", "bcd"), "replace_gone": normalizers.Replace("e", ""),
        "replace_spaces": normalizers.Replace(Regex(r" {2,}|\t"), "▁"), "replace_class": normalizers.Replace(Regex(r"[^\w\s]+"), "<p>"),
        "nfd_accents_lower": normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase()]),
        "albert": normalizers.Sequence([normalizers.Replace("``", '"'), normalizers.Replace("''", '"'), normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase(), normalizers.Replace(Regex(" {2,}"), " ")]),
    }.items()
    for i in range(16):
        flags = [bool(i & bit) for bit in (1, 2, 4, 8)]
        yield f"bert_{i}", normalizers.BertNormalizer(clean_text=flags[0], handle_chinese_chars=flags[1], strip_accents=flags[2], lowercase=flags[3])


def all_pre_tokenizers():
    yield from {
        "byte_level": pre_tokenizers.ByteLevel(True), "digits": pre_tokenizers.Digits(False), "digit": pre_tokenizers.Digits(True), "whitespace": pre_tokenizers.Whitespace(),
        "whitespace_split": pre_tokenizers.WhitespaceSplit(), "bert": pre_tokenizers.BertPreTokenizer(), "delimiter": pre_tokenizers.CharDelimiterSplit("e"), "scripts": pre_tokenizers.UnicodeScripts(),
        "fixed_3": pre_tokenizers.FixedLength(3), "fixed_1": pre_tokenizers.FixedLength(1),
    }.items()
    for behavior in BEHAVIORS:
        yield f"punctuation_{behavior}", pre_tokenizers.Punctuation(behavior)
        for invert in (False, True):
            yield f"string_{behavior}_{invert}", pre_tokenizers.Split(" ", behavior, invert)
            yield f"regex_{behavior}_{invert}", pre_tokenizers.Split(Regex(r"\s|[aeiou]"), behavior, invert)
            yield f"maybe_{behavior}_{invert}", pre_tokenizers.Split(Regex(r"a*|\d"), behavior, invert)
    for scheme in ("first", "always", "never"):
        for split in (True, False):
            yield f"metaspace_{scheme}_{split}", pre_tokenizers.Metaspace("▁", scheme, split)
    yield "t5", pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    yield "split_metaspace", pre_tokenizers.Sequence([pre_tokenizers.Punctuation(), pre_tokenizers.Metaspace("▁", "first")])
    yield "scripts_metaspace", pre_tokenizers.Sequence([pre_tokenizers.Digits(True), pre_tokenizers.UnicodeScripts(), pre_tokenizers.Metaspace("_", "first", False)])


PATTERNS = [
    r"\w+", r"\W+", r"\d+", r"\D", r"\s+", r"\S+", r"\h+", r"[\w-]+", r"[^\W_]+", r"[\S\s]{3}", r"[\D]+", r"[^\D]+", r"\b", r"\B.", r"^.", r".$", r"(?m).+", r"(?i)stra|ı|k", r"a(?i)b|c", r"(?i:ǆ|σ)",
    r"\p{Han}+", r"\p{Hiragana}|\p{Katakana}+", r"\p{^L}+", r"\P{L}", r"[\P{Lu}]", r"[^\P{Lu}\s]", r"\p{Letter}+", r"\p{Uppercase_Letter}", r"\p{Emoji}+", r"\p{Alphabetic}+", r"\p{Cn}", r"\p{C}", r"[\p{Cn}a]+",
    r"[[:alpha:]]+", r"[[:^alpha:]]+", r"[[:punct:]]", r"[[:alnum:]_]+", r"[[:space:][:digit:]]", r"[[:upper:]][[:lower:]]+", r"[[:graph:]]+", r"[[:print:]]+", r"[[:cntrl:]]", r"[[:word:]]+", r"[[:blank:]]+", r"[[:xdigit:]]{2}",
    r"\u00e9|\x41|\x{1F600}", r"(?<=a)b|(?<!c)d", r"(\w)\1", r"(?<x>e).\k<x>", r"(?>a+)b", r"a++b?|c*+", r"\A.|.\z|\Z", r"[]a]", r"[a\]]", r"(?#comment)x", r"\R", r"x{,2}y", r"x{2", r"\G\p{L}", r"\p{Arabic}+|\p{Greek}+|\p{Latin}+|\p{Common}",
]


def pattern_families():
    for i, pattern in enumerate(PATTERNS):
        yield f"pattern_{i:02}", transparent(pre_tokenizer=pre_tokenizers.Split(Regex(pattern), "isolated")), None, FEW + TEXTS[200 + i % 9 :: 9]


def component_families():
    for i, (name, normalizer) in enumerate(all_normalizers()):
        yield f"normalizer_{name}", transparent(normalizer), None, FEW + TEXTS[100 + i % 4 :: 4]
    for i, (name, pre_tokenizer) in enumerate(all_pre_tokenizers()):
        yield f"pre_tokenizer_{name}", transparent(pre_tokenizer=pre_tokenizer), None, FEW + TEXTS[100 + i % 4 :: 4]
    rng = random.Random(11)
    some, more = list(all_normalizers()), list(all_pre_tokenizers())
    for i in range(40):
        chosen = rng.sample(some, rng.randrange(1, 4))
        steps = rng.sample(more, rng.randrange(1, 3))
        pipeline = transparent(normalizers.Sequence([one for _, one in chosen]), pre_tokenizers.Sequence([one for _, one in steps]))
        yield f"random_{i:02}_{'_'.join(name for name, _ in chosen + steps)}"[:120], pipeline, None, TEXTS[i::23]


def decoder_families():
    """Tokens that decoders change, in random order."""
    words = ["a", "b", "hello", "▁hello", "▁", "▁▁", "##ing", "##", "ing</w>", "</w>", "w</w>x", "<0x41>", "<0xE2>", "<0x96>", "<0x81>", "<0xFF>", "<0xf0>", "<0xZZ>", "Ġx", "Ġ", "âĢ", "Ļ", "Ã", "©", "é", "漢", " ", "  x ", " .", " n't", " do not", " 's", "'",
             " ' ", ",", "?", "<pad>", "|", "|x|", "   ", "x  ", "Ċ"]
    rng = random.Random(12)
    sequences = [[rng.randrange(len(words) + 3) for _ in range(rng.randrange(0, 12))] for _ in range(400)] + [[i] for i in range(len(words) + 3)] + [[i, i] for i in range(len(words))]
    kinds = {
        "none": None, "byte_level": decoders.ByteLevel(), "wordpiece": decoders.WordPiece(), "wordpiece_plain": decoders.WordPiece("##", False), "wordpiece_empty": decoders.WordPiece("", True), "metaspace": decoders.Metaspace(), "metaspace_never": decoders.Metaspace("▁", "never"),
        "bpe": decoders.BPEDecoder(), "ctc": decoders.CTC(), "ctc_plain": decoders.CTC("<pad>", "|", False), "byte_fallback": decoders.ByteFallback(), "fuse": decoders.Fuse(), "replace": decoders.Replace("▁", " "), "replace_regex": decoders.Replace(Regex("[a-c▁]"), "é"),
        "strip": decoders.Sequence([decoders.Fuse(), decoders.Strip(" ", 2, 0)]), "strip_both": decoders.Sequence([decoders.Replace(Regex("^$"), "xx"), decoders.Replace(Regex("$"), "xx"), decoders.Strip("x", 1, 1)]),
        "llama": decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]),
        "gemma": decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]),
        "odd": decoders.Sequence([decoders.ByteFallback(), decoders.WordPiece(), decoders.CTC()]), "odder": decoders.Sequence([decoders.ByteLevel(), decoders.Replace("x", " "), decoders.Strip(" ", 1, 0)]), "bpe_fused": decoders.Sequence([decoders.BPEDecoder(), decoders.Fuse(), decoders.Metaspace()]),
    }
    for name, decoder in kinds.items():
        tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="a"))
        if decoder is not None:
            tokenizer.decoder = decoder
        tokenizer.add_special_tokens(["<s>", "</s>"])
        tokenizer.add_tokens([AddedToken("plain added", special=False)])
        kept = [ids for ids in sequences if ids or name not in ("bpe", "bpe_fused")]
        yield f"decoder_{name}", tokenizer, kept, ["a", "hello"]


def added_families():
    """All flags of added tokens, in texts made of them."""
    rng = random.Random(13)
    contents = ["<a>", "<ab>", "<a", "word", "Word", "WORD", "[X]", " sp", "sp ", "é", "e\u0301", "e", "\n", "ﬁ", "<|x|>", "<|x|><|y|>", "a b", "--"]
    fill = [" ", "  ", "\n", "\t", "\u00a0", "x", "_", "9", "é", "漢", "-", "wordword", "swordfish", ".", "\u200d", "<", "<|x|", "E\u0301", "fi", "½", "²"]
    for i in range(24):
        tokens = [AddedToken(content, single_word=rng.random() < 0.3, lstrip=rng.random() < 0.3, rstrip=rng.random() < 0.3, normalized=rng.random() < 0.5) for content in rng.sample(contents, rng.randrange(3, 12))]
        normalizer = [None, normalizers.Lowercase(), normalizers.NFC(), normalizers.NFKC(), normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")][i % 6]
        pre_tokenizer = [None, pre_tokenizers.Metaspace("▁", "first"), pre_tokenizers.WhitespaceSplit(), pre_tokenizers.ByteLevel(True, use_regex=True)][i // 6]
        seen, plain, special = set(), [], []
        for token in tokens:
            spelling = (token.normalized, normalizer.normalize_str(token.content) if token.normalized and normalizer else token.content)
            if spelling not in seen:
                seen.add(spelling)
                (special if rng.random() < 0.4 else plain).append(token)
        texts = ["".join(rng.choices(contents + fill, k=rng.randrange(1, 15))) for _ in range(250)]
        yield f"added_{i:02}", transparent(normalizer, pre_tokenizer, plain, special), None, texts


def all_families():
    yield from byte_level_families()
    yield from character_families()
    yield from word_families()
    yield from unigram_families()
    yield from component_families()
    yield from pattern_families()
    yield from decoder_families()
    yield from added_families()


def results(tokenizer, texts, decode_ids=None):
    def encode(text):
        try:
            return tokenizer.encode(text, add_special_tokens=False).ids
        except Exception:  # the package gives up where the vocabulary has no unknown token
            return None
        except BaseException as error:  # a panic of its own: there is nothing to compare with
            if type(error).__name__ != "PanicException":
                raise
            return False

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


def code_points():
    """All of planes 0, 1 and 14, and some of those where nothing changes."""
    yield from (c for c in range(0x20000) if not 0xD800 <= c < 0xE000)
    yield from range(0x20000, 0xE0000, 61)
    yield from range(0xE0000, 0xE0200)
    yield from range(0xE0200, 0x110000, 1009)


def points():
    """Per component, a checksum for every 256 code points: of the normalized text of each, or of the words that are made of them."""
    all_points = list(code_points())
    blocks = [all_points[i : i + 256] for i in range(0, len(all_points), 256)]

    def sums(lines_of):
        return [zlib.crc32("\x00".join(lines_of(block)).encode()) for block in blocks]

    components = {"points": all_points, "normalizers": [], "pre_tokenizers": []}
    for name, normalizer in all_normalizers():
        if name in ("nfc", "nfd", "nfkc", "nfkd", "lowercase", "strip_accents", "nmt", "bert_1", "bert_2", "bert_4"):
            entry = {"component": json.loads(transparent(normalizer).to_str())["normalizer"], "name": name}
            entry["sums"] = sums(lambda block: [normalizer.normalize_str("a" + "a".join(map(chr, block)))])
            components["normalizers"].append(entry)
    for name, pre_tokenizer in all_pre_tokenizers():
        if name in ("byte_level", "digit", "whitespace", "whitespace_split", "bert", "punctuation_isolated", "scripts"):
            entry = {"component": json.loads(transparent(pre_tokenizer=pre_tokenizer).to_str())["pre_tokenizer"]["pretokenizers"][0], "name": name}
            entry["sums"] = sums(lambda block: [word for word, _ in pre_tokenizer.pre_tokenize_str("a".join(map(chr, block)))])
            components["pre_tokenizers"].append(entry)
    return components


def write_tokenizers(folder):
    (folder / "texts.json").write_text(json.dumps(TEXTS))
    for name, tokenizer, *rest in all_families():
        decode_ids, texts = rest or (None, None)
        tokenizer.save(str(folder / f"{name}.json"))
        reloaded = Tokenizer.from_file(str(folder / f"{name}.json"))
        case = results(reloaded, texts or TEXTS, decode_ids)
        if texts:
            case["texts"] = texts
        (folder / f"{name}.cases.json").write_text(json.dumps(case))


def main(folder, kind):
    if kind == "tokenizers":
        write_tokenizers(Path(folder))
    else:
        (Path(folder) / "points.json").write_text(json.dumps(points()))


if __name__ == "__main__":
    errors = os.dup(2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # the package writes of its panics at length
    try:
        main(*sys.argv[1:])
    except BaseException as error:
        os.dup2(errors, 2)
        raise
