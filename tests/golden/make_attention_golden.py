"""Golden data for encoders and for attention maps: tiny random BERTs, and the attention of two tiny decoders.

  make_attention_golden.py FOLDER       writes FOLDER/bert and FOLDER/bert_older, and FOLDER/{llama,gemma3}/attention.safetensors of the
                                        models that are there

Run once with Python 3.11, torch 2.15.0 and transformers 5.24.0 on a CPU, in float32, with attention computed step by step ("eager"):

  python make_attention_golden.py tiny

bert: as a BertModel is saved today, with tokenizer.json and erf GELU. bert_older: a BertForMaskedLM of the first years, with the prefix `bert.`, LayerNorm's
gamma and beta, a vocab.txt, the tanh GELU and no pooler. golden.json holds the texts with their ids and token types, golden.safetensors for the i-th
of them `hidden_i [n, hidden]`, `pooled_i [hidden]` (bert only) and `attention_i [layers, heads, n, n]`; both for other sizes and hyperparameters, odd ones.
attention.safetensors: `ids [n]` (as f32) and `attention [layers, heads, n, n]`; Gemma's text is longer than its window.
"""
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import AutoModelForCausalLM, BertConfig, BertForMaskedLM, BertModel

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = "the a cat dog sat on mat light house keeper was born in lamp of old sea who and lit it every night she read book play ##s ##ed ##ing ##er ##house ##ly".split()
TEXTS = [
    ("The cat sat on the mat.", None),
    ("Who lit the lamp?", "The keeper of the old lighthouse lit it every night, reading a book by the sea."),
    ("A", "b"),
    ("Änne's naïve café 42 \u732b costs \u20ac7!", "dogs PLAYED"),
    ("", None),
]


def vocabulary():
    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,!?'"
    pieces = SPECIAL + list(letters) + ["##" + letter for letter in letters if letter.isalnum()] + [w for w in WORDS if len(w.replace("#", "")) > 1]
    return {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}


def tokenizer_of(vocab):
    tokenizer = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", vocab["[CLS]"]), ("[SEP]", vocab["[SEP]"])]
    )
    return tokenizer


def randomise(model):
    """Weights so large that attention has preferences; biases and norms that are not what they start as."""
    for name, parameter in model.named_parameters():
        if "LayerNorm.weight" in name:
            parameter.data = 1 + torch.randn_like(parameter) * 0.2
        elif "embeddings" in name:
            parameter.data = torch.randn_like(parameter) * 0.5
        else:
            parameter.data = torch.randn_like(parameter) * (0.1 if parameter.dim() == 1 else 0.25)
    return model.eval()


def figures(model, tokenizer):
    golden, tensors = [], {}
    for index, (first, second) in enumerate(TEXTS):
        encoding = tokenizer.encode(first, second)
        golden.append({"first": first, "second": second, "ids": encoding.ids, "types": encoding.type_ids})
        out = model(torch.tensor([encoding.ids]), token_type_ids=torch.tensor([encoding.type_ids]), output_attentions=True)
        tensors[f"hidden_{index}"] = out.last_hidden_state[0]
        tensors[f"attention_{index}"] = torch.stack(out.attentions)[:, 0]
        if out.pooler_output is not None:
            tensors[f"pooled_{index}"] = out.pooler_output[0]
    return golden, tensors


def save(folder, config, weights, golden, tensors):
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (folder / "golden.json").write_text(json.dumps(golden) + "\n")
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, folder / "model.safetensors", {"format": "pt"})
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "golden.safetensors")


def make_bert(folder):
    vocab = vocabulary()
    tokenizer = tokenizer_of(vocab)
    config = BertConfig(vocab_size=len(vocab), hidden_size=48, num_hidden_layers=3, num_attention_heads=4, intermediate_size=70,
                        max_position_embeddings=64, attn_implementation="eager")
    model = randomise(BertModel(config))
    golden, tensors = figures(model, tokenizer)
    keys = ("model_type", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "max_position_embeddings", "vocab_size",
            "type_vocab_size", "hidden_act", "layer_norm_eps")
    save(folder, {"architectures": ["BertModel"], **{key: getattr(config, key) for key in keys}}, model.state_dict(), golden, tensors)
    tokenizer.save(str(folder / "tokenizer.json"))


def make_older_bert(folder):
    vocab = vocabulary()
    config = BertConfig(vocab_size=len(vocab), hidden_size=30, num_hidden_layers=2, num_attention_heads=3, intermediate_size=37, max_position_embeddings=49,
                        type_vocab_size=3, hidden_act="gelu_new", layer_norm_eps=1e-5, attn_implementation="eager")
    model = randomise(BertForMaskedLM(config))
    golden, tensors = figures(model.bert, tokenizer_of(vocab))
    older = lambda name: name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
    weights = {older(name): tensor.clone() for name, tensor in model.state_dict().items() if "position_ids" not in name}
    save(folder, {"architectures": ["BertForMaskedLM"], "model_type": "bert", "hidden_size": 30, "num_hidden_layers": 2, "num_attention_heads": 3,
                  "intermediate_size": 37, "max_position_embeddings": 49, "vocab_size": len(vocab), "type_vocab_size": 3, "hidden_act": "gelu_new",
                  "layer_norm_eps": 1e-5, "tie_word_embeddings": True}, weights, golden, tensors)
    (folder / "vocab.txt").write_text("".join(piece + "\n" for piece in vocab))


def make_decoder(folder):
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
    ids = json.loads((folder / "golden.json").read_text())["context_ids"][:61]
    out = model(torch.tensor([ids]), output_attentions=True)
    save_file({"ids": torch.tensor(ids).float(), "attention": torch.stack(out.attentions)[:, 0].contiguous()}, folder / "attention.safetensors")
    print(folder.name, len(ids), "tokens")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    torch.set_grad_enabled(False)
    torch.manual_seed(20250113)
    top = Path(sys.argv[1])
    make_bert(top / "bert")
    make_older_bert(top / "bert_older")
    for decoder in ("llama", "gemma3"):
        make_decoder(top / decoder)
