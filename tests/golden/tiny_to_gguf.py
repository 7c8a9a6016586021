"""Writes a tiny Hugging Face model of the golden data as GGUF: tiny_to_gguf.py FOLDER OUT.gguf

Follows the GGUF conventions of the families: llama's q and k rows are permuted for adjacent RoPE pairs, Gemma's norms hold 1 + weight, GPT-2's
matrices are transposed.
The vocabulary is a stand-in: the golden data is in token ids.
"""
import json
import math
import struct
import sys
from pathlib import Path

import numpy as np
from gguf import GGUFWriter, TokenType

NAMES = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm",
}

GPT2_NAMES = {
    "wte": "token_embd", "wpe": "position_embd", "ln_f": "output_norm", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output", "ln_1": "attn_norm",
    "ln_2": "ffn_norm", "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down",
}


def read_safetensors(path):
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    for name, entry in header.items():
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        yield name, np.frombuffer(data[begin:end], dtype=np.float32).reshape(entry["shape"])


def gpt2_gguf_name(name):
    part, kind = name.removeprefix("transformer.").rsplit(".", 1)
    if not part.startswith("h."):
        return f"{GPT2_NAMES[part]}.{kind}"
    _, layer, part = part.split(".", 2)
    return f"blk.{layer}.{GPT2_NAMES[part]}.{kind}"


def gguf_name(name, family):
    if family == "gpt2":
        return gpt2_gguf_name(name)
    fixed = {"lm_head.weight": "output.weight", "model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}
    if name in fixed:
        return fixed[name]
    _, _, layer, part = name.split(".", 3)
    part, kind = part.rsplit(".", 1)
    if family == "gemma3":
        norms = {"post_attention_layernorm": "post_attention_norm", "pre_feedforward_layernorm": "ffn_norm", "post_feedforward_layernorm": "post_ffw_norm"}
    else:
        norms = {"post_attention_layernorm": "ffn_norm"}
    return f"blk.{layer}.{ {**NAMES, **norms}[part] }.{kind}"


def permute(weight, heads):
    """Rows (i, i + half) of each head become neighbours."""
    return weight.reshape(heads, 2, weight.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(weight.shape)


def llama3_divisors(config):
    scaling, head_dim = config["rope_scaling"], config["head_dim"]
    low = scaling["original_max_position_embeddings"] / scaling["low_freq_factor"]
    high = scaling["original_max_position_embeddings"] / scaling["high_freq_factor"]
    divisors = []
    for pair in range(head_dim // 2):
        wavelength = 2 * math.pi * config["rope_theta"] ** (2 * pair / head_dim)
        if wavelength < high:
            divisors.append(1.0)
        elif wavelength > low:
            divisors.append(scaling["factor"])
        else:
            smooth = (scaling["original_max_position_embeddings"] / wavelength - scaling["low_freq_factor"]) / (
                scaling["high_freq_factor"] - scaling["low_freq_factor"])
            divisors.append(1 / ((1 - smooth) / scaling["factor"] + smooth))
    return np.array(divisors, dtype=np.float32)


def add_vocabulary(writer, size):
    tokens = [f"<0x{byte:02X}>" for byte in range(256)] + [f"token{i}" for i in range(256, size)]
    kinds = [TokenType.BYTE] * 256 + [TokenType.NORMAL] * (size - 256)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * size)
    writer.add_token_types(kinds)


def add_gpt2_config(writer, config):
    writer.add_context_length(config["n_positions"])
    writer.add_embedding_length(config["n_embd"])
    writer.add_block_count(config["n_layer"])
    writer.add_feed_forward_length(config["n_inner"] or 4 * config["n_embd"])
    writer.add_head_count(config["n_head"])
    writer.add_layer_norm_eps(config["layer_norm_epsilon"])


def add_config(writer, family, config):
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    head_dim = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    writer.add_key_length(head_dim)
    writer.add_value_length(head_dim)
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    scaling = config.get("rope_scaling") or {}
    if scaling.get("rope_type") in ("linear", "yarn"):
        writer.add_string(f"{family}.rope.scaling.type", scaling["rope_type"])
        factor = scaling["factor"]
        if "original_max_position_embeddings" in scaling:
            # transformers 4.51, which made the golden data, takes YaRN's factor from the two lengths, not from the file.
            factor = config["max_position_embeddings"] / scaling["original_max_position_embeddings"]
            writer.add_uint32(f"{family}.rope.scaling.original_context_length", scaling["original_max_position_embeddings"])
        writer.add_float32(f"{family}.rope.scaling.factor", factor)
    if scaling.get("rope_type") == "llama3":
        writer.add_tensor("rope_freqs.weight", llama3_divisors(config))
    if family == "gemma3":
        writer.add_uint32("gemma3.attention.sliding_window", config["sliding_window"])
        writer.add_uint32("gemma3.attention.sliding_window_pattern", config["sliding_window_pattern"])


def converted(name, tensor, family, config):
    if family == "llama" and ".q_proj." in name:
        return permute(tensor, config["num_attention_heads"])
    if family == "llama" and ".k_proj." in name:
        return permute(tensor, config["num_key_value_heads"])
    if family == "gemma3" and "norm" in name:
        return tensor + np.float32(1)
    if family == "gpt2" and ".c_" in name:
        return tensor.T
    return tensor


def main(folder, out):
    config = json.loads((folder / "config.json").read_text())
    families = {"llama": "llama", "mistral": "llama", "qwen2": "qwen2", "qwen3": "qwen3", "gemma3_text": "gemma3", "gpt2": "gpt2"}
    family = families[config["model_type"]]
    writer = GGUFWriter(out, family)
    if family == "gpt2":
        add_gpt2_config(writer, config)
    else:
        add_config(writer, family, config)
    add_vocabulary(writer, config["vocab_size"])
    for name, tensor in read_safetensors(folder / "model.safetensors"):
        writer.add_tensor(gguf_name(name, family), np.ascontiguousarray(converted(name, tensor, family, config)))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), sys.argv[2])
