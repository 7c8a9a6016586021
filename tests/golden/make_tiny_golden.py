"""Golden data for tiny models that the original implementation has none for: SwiftKV models, and KVzip on GPT-2.

  make_tiny_golden.py check FOLDER...   computes a golden folder's figures again and prints how far they are from what it holds
  make_tiny_golden.py make FOLDER       writes the models swiftkv, swiftkv_across and gpt2_scored and their figures into FOLDER

Run once with Python 3.11, torch 2.15.0, numpy, safetensors on a CPU, in float32:

  python make_tiny_golden.py check tiny/llama tiny/gpt2      # the restatement below against the original implementation's output
  python make_tiny_golden.py make tiny

`check tiny/llama` found scores within 1e-6, logits within 1e-5, and equal kept sets and continuations. Nothing here is fast or used by the engine: it
states three definitions as plainly as it can. Models: Llama, and SwiftKV (Qiao et al. 2024, arXiv:2410.03960; names of keys and tensors as in
snowflakedb/ArcticTraining, projects/swiftkv), and GPT-2. KVzip: scores, selection and eviction (Kim et al. 2025). Prompts are those of tiny/llama.
"""
import json
import math
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

RATIOS = (0.7, 0.3, 0.1)
LEVELS = ("pair", "pair-uniform", "head")


# ---- attention: queries over a past, some of which may be evicted, and over the new keys


def attend(q, k, v, past, visible, scale):
    """q [heads, n, d]; k, v [kv_heads, n, d]; past = (k, v); visible [kv_heads, past length]. Returns [n, heads * d]."""
    group = q.shape[0] // k.shape[0]
    n, before = q.shape[1], past[0].shape[1]
    keys = torch.cat([past[0], k], 1).repeat_interleave(group, 0)
    values = torch.cat([past[1], v], 1).repeat_interleave(group, 0)
    causal = torch.ones(n, n, dtype=torch.bool).tril()
    seen = torch.cat([visible.repeat_interleave(group, 0)[:, None, :].expand(-1, n, -1), causal[None].expand(q.shape[0], -1, -1)], 2)
    logits = (q @ keys.transpose(1, 2) * scale).masked_fill(~seen, -torch.inf)
    assert logits.shape == (q.shape[0], n, before + n)
    return (logits.softmax(-1) @ values).transpose(0, 1).reshape(n, -1)


def split_heads(x, heads):
    return x.view(x.shape[0], heads, -1).transpose(0, 1)


# ---- models. pass_(ids, position, past, visible, on_attention) -> logits, new keys and values per KV layer.
# on_attention(kv_layer, q, k, scale) sees the queries and the new keys of every layer.


class Llama:
    def __init__(self, config, weights):
        self.c, self.w = config, weights
        self.layers, self.heads, self.kv_heads = config["num_hidden_layers"], config["num_attention_heads"], config["num_key_value_heads"]
        self.head_dim = config["head_dim"]
        swift = config["model_type"] == "llama_swiftkv"
        self.own = config["num_key_value_layers"] if swift else self.layers  # layers with keys and values of their own
        self.group = config["key_value_group_size"] if swift else 1
        self.kv_layers = self.own + (self.layers - self.own) // self.group
        self.frequencies = self.llama3_frequencies()

    def kv_layer(self, layer):
        return layer if layer < self.own else self.own + (layer - self.own) // self.group

    def llama3_frequencies(self):
        plain = 1 / self.c["rope_theta"] ** (torch.arange(0, self.head_dim, 2).float() / self.head_dim)
        s = self.c["rope_scaling"]
        original, low, high = s["original_max_position_embeddings"], s["low_freq_factor"], s["high_freq_factor"]
        wavelength = 2 * math.pi / plain
        smooth = ((original / wavelength - low) / (high - low)).clamp(0, 1)
        return (1 - smooth) * plain / s["factor"] + smooth * plain

    def rotate(self, x, position):
        angles = (position + torch.arange(x.shape[1]).float())[:, None] * self.frequencies
        cos, sin = angles.cos(), angles.sin()
        a, b = x.chunk(2, -1)
        return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)

    def norm(self, x, name):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.c["rms_norm_eps"]) * self.w[name + ".weight"]

    def linear(self, x, name):
        return x @ self.w[name + ".weight"].T

    def keys_and_values(self, x, layer, suffix, position):
        prefix = f"model.layers.{layer}.self_attn."
        k = split_heads(self.linear(x, prefix + "k_proj" + suffix), self.kv_heads)
        v = split_heads(self.linear(x, prefix + "v_proj" + suffix), self.kv_heads)
        return self.rotate(k, position), v

    def pass_(self, ids, position, past, visible, on_attention=None):
        x = self.w["model.embed_tokens.weight"][torch.tensor(ids)]
        new, scale = {}, self.head_dim**-0.5
        for layer in range(self.layers):
            prefix = f"model.layers.{layer}."
            if layer == self.own:  # SingleInputKV: one hidden state for the keys and values of all later layers
                shared = self.norm(x, "model.norm_swiftkv")
                for first in range(self.own, self.layers, self.group):  # AcrossKV: a group of layers uses those of its first one
                    new[self.kv_layer(first)] = self.keys_and_values(shared, first, "_swiftkv", position)
            h = self.norm(x, prefix + "input_layernorm")
            if layer < self.own:
                new[layer] = self.keys_and_values(h, layer, "", position)
            q_name = "q_proj" if layer < self.own else "q_proj_swiftkv"
            q = self.rotate(split_heads(self.linear(h, f"{prefix}self_attn.{q_name}"), self.heads), position)
            kv = self.kv_layer(layer)
            if on_attention:
                on_attention(kv, q, new[kv][0], scale)
            x = x + self.linear(attend(q, *new[kv], past[kv], visible[kv], scale), prefix + "self_attn.o_proj")
            h = self.norm(x, prefix + "post_attention_layernorm")
            gate = F.silu(self.linear(h, prefix + "mlp.gate_proj"))
            x = x + self.linear(gate * self.linear(h, prefix + "mlp.up_proj"), prefix + "mlp.down_proj")
        return self.linear(self.norm(x, "model.norm"), "lm_head"), [new[i] for i in range(self.kv_layers)]


class Gpt2:
    def __init__(self, config, weights):
        self.c, self.w = config, {name.removeprefix("transformer."): tensor for name, tensor in weights.items()}
        self.layers = self.kv_layers = config["n_layer"]
        self.heads = self.kv_heads = config["n_head"]
        self.head_dim = config["n_embd"] // config["n_head"]

    def norm(self, x, name):
        return F.layer_norm(x, x.shape[-1:], self.w[name + ".weight"], self.w[name + ".bias"], self.c["layer_norm_epsilon"])

    def conv1d(self, x, name):
        return x @ self.w[name + ".weight"] + self.w[name + ".bias"]

    def pass_(self, ids, position, past, visible, on_attention=None):
        x = self.w["wte.weight"][torch.tensor(ids)] + self.w["wpe.weight"][position : position + len(ids)]
        new, scale = [], self.head_dim**-0.5
        for layer in range(self.layers):
            prefix = f"h.{layer}."
            q, k, v = (split_heads(part, self.heads) for part in self.conv1d(self.norm(x, prefix + "ln_1"), prefix + "attn.c_attn").chunk(3, -1))
            new.append((k, v))
            if on_attention:
                on_attention(layer, q, k, scale)
            x = x + self.conv1d(attend(q, k, v, past[layer], visible[layer], scale), prefix + "attn.c_proj")
            h = F.gelu(self.conv1d(self.norm(x, prefix + "ln_2"), prefix + "mlp.c_fc"), approximate="tanh")
            x = x + self.conv1d(h, prefix + "mlp.c_proj")
        return self.norm(x, "ln_f") @ self.w["wte.weight"].T, new


def make_model(config, weights):
    return (Gpt2 if config["model_type"] == "gpt2" else Llama)(config, weights)


# ---- KVzip


def empty_cache(model):
    none = torch.zeros(model.kv_heads, 0, model.head_dim)
    return [(none, none)] * model.kv_layers


def all_visible(model, cache):
    return [torch.ones(model.kv_heads, k.shape[1], dtype=torch.bool) for k, _ in cache]


def extended(cache, new):
    return [(torch.cat([k, nk], 1), torch.cat([v, nv], 1)) for (k, v), (nk, nv) in zip(cache, new)]


def greedy(model, ids, cache, position, visible, count):
    found = []
    while len(found) < count:
        logits, new = model.pass_(ids, position, cache, visible)
        cache, position = extended(cache, new), position + len(ids)
        visible = [torch.cat([seen, torch.ones(model.kv_heads, len(ids), dtype=torch.bool)], 1) for seen in visible]
        ids = [int(logits[-1].argmax())]
        found += ids
    return found


def scores_of(model, cache, system, document, inputs):
    """The largest share of attention that any repeat query of a head's group gives to each document position, softmax over
    [system | the input's chunk | the repeat input up to the query]. Layers that share keys share the score: the largest."""
    scores = torch.zeros(model.kv_layers, model.kv_heads, document)
    begin = 0
    for length, ids in inputs:
        columns = list(range(system)) + list(range(system + begin, system + begin + length))

        def on_attention(layer, q, k, scale):
            group, n = model.heads // model.kv_heads, len(ids)
            keys = torch.cat([cache[layer][0][:, columns], k], 1).repeat_interleave(group, 0)
            seen = torch.cat([torch.ones(n, len(columns), dtype=torch.bool), torch.ones(n, n, dtype=torch.bool).tril()], 1)
            shares = (q @ keys.transpose(1, 2) * scale).masked_fill(~seen, -torch.inf).softmax(-1)[:, :, system : system + length]
            best = shares.amax(1).view(model.kv_heads, group, length).amax(1)
            part = scores[layer, :, begin : begin + length]
            part.copy_(torch.maximum(part, best))

        model.pass_(ids, system + document, cache, all_visible(model, cache), on_attention)
        begin += length
    return scores


def select(scores, level, ratio):
    """Which rows are kept, and the threshold."""
    if level == "pair-uniform":
        order = scores.argsort(dim=-1, descending=True, stable=True)[..., : int(scores.shape[-1] * ratio)]
        return torch.zeros_like(scores, dtype=torch.bool).scatter_(-1, order, True), 0
    if level == "head":
        scores = scores.amax(-1, keepdim=True).expand_as(scores)
    threshold = scores.flatten().sort(descending=True).values[max(int(scores.numel() * ratio) - 1, 0)]
    return scores > threshold, float(threshold)


def figures(model, prompt, scored):
    """The tensors and the JSON of a golden folder."""
    system, document, query = prompt["system_ids"], prompt["context_ids"], prompt["query_ids"]
    none = empty_cache(model)
    logits, _ = model.pass_(system + document + query, 0, none, all_visible(model, none))
    _, cache = model.pass_(system + document, 0, none, all_visible(model, none))
    position = len(system) + len(document)
    tensors = {"logits_full": logits}
    golden = {**prompt, "greedy_full": greedy(model, query, cache, position, all_visible(model, cache), 16), "cases": []}
    if not scored:
        return tensors, golden
    scores = tensors["score"] = scores_of(model, cache, len(system), len(document), prompt["repeat_inputs"])
    for level in LEVELS:
        for ratio in RATIOS:
            valid, threshold = select(scores, level, ratio)
            visible = [torch.cat([torch.ones(model.kv_heads, len(system), dtype=torch.bool), valid[i]], 1) for i in range(model.kv_layers)]
            tensors[f"valid_{level}_{ratio}"] = valid.to(torch.uint8)
            tensors[f"logits_{level}_{ratio}"] = model.pass_(query, position, cache, visible)[0]
            golden["cases"].append({"level": level, "ratio": ratio, "threshold": threshold, "kept_ratio": float(valid.float().mean()),
                                    "greedy": greedy(model, query, cache, position, visible, 12)})
    return tensors, golden


# ---- the two commands


def check(folder):
    model = make_model(json.loads((folder / "config.json").read_text()), load_file(folder / "model.safetensors"))
    golden, tensors = json.loads((folder / "golden.json").read_text()), load_file(folder / "golden.safetensors")
    prompt = {key: value for key, value in golden.items() if key not in ("greedy_full", "cases")}
    our_tensors, ours = figures(model, prompt, "score" in tensors)
    for name in sorted(tensors):
        print(f"{folder.name} {name}: largest difference {float((our_tensors[name].float() - tensors[name].float()).abs().max()):.3g}")
    same = [ours["greedy_full"] == golden["greedy_full"]]
    theirs = {(case["level"], case["ratio"]): case for case in golden.get("cases", [])}
    same += [case["greedy"] == theirs[case["level"], case["ratio"]]["greedy"] for case in ours["cases"]]
    print(f"{folder.name} continuations: {sum(same)} of {len(same)} equal")


def random_llama_swiftkv(layers, own, group, llama):
    """A random model of tiny/llama's sizes and scales; nothing in the later layers but what the definition uses."""
    config = {**llama, "architectures": ["LlamaSwiftKVForCausalLM"], "model_type": "llama_swiftkv", "num_hidden_layers": layers, "swiftkv": True,
              "num_key_value_layers": own, "key_value_group_size": group}
    hidden, wide, q, kv = 64, 128, 64, 32
    matrix = lambda *shape: torch.randn(shape) * 0.18
    norm = lambda: 1 + torch.randn(hidden) * 0.1
    weights = {"model.embed_tokens": torch.randn(320, hidden) * 0.12, "lm_head": matrix(320, hidden), "model.norm": norm(), "model.norm_swiftkv": norm()}
    for layer in range(layers):
        part, late = {}, layer >= own
        suffix = "_swiftkv" if late else ""
        part["self_attn.q_proj" + suffix] = matrix(q, hidden)
        if not late or (layer - own) % group == 0:
            part["self_attn.k_proj" + suffix] = matrix(kv, hidden)
            part["self_attn.v_proj" + suffix] = matrix(kv, hidden)
        part["self_attn.o_proj"] = matrix(hidden, q)
        part["mlp.gate_proj"], part["mlp.up_proj"], part["mlp.down_proj"] = matrix(wide, hidden), matrix(wide, hidden), matrix(hidden, wide)
        part["input_layernorm"], part["post_attention_layernorm"] = norm(), norm()
        weights.update({f"model.layers.{layer}.{name}": tensor for name, tensor in part.items()})
    return config, {name + ".weight": tensor for name, tensor in weights.items()}


def random_gpt2(gpt2):
    """As tiny/gpt2, with fewer positions, and tensors named as in the first published GPT-2, without a prefix."""
    config = {**gpt2, "n_positions": 384}
    matrix = lambda *shape: torch.randn(shape) * 0.18
    weights = {"wte.weight": torch.randn(320, 64) * 0.12, "wpe.weight": matrix(384, 64)}
    norms, maps = ["ln_f"], {}
    for layer in range(3):
        norms += [f"h.{layer}.ln_1", f"h.{layer}.ln_2"]
        maps.update({f"h.{layer}.attn.c_attn": (64, 192), f"h.{layer}.attn.c_proj": (64, 64), f"h.{layer}.mlp.c_fc": (64, 256), f"h.{layer}.mlp.c_proj": (256, 64)})
    for name in norms:
        weights[name + ".weight"], weights[name + ".bias"] = 1 + torch.randn(64) * 0.1, torch.randn(64) * 0.1
    for name, shape in maps.items():
        weights[name + ".weight"], weights[name + ".bias"] = matrix(*shape), torch.randn(shape[1]) * 0.1
    return config, weights


def make(folder):
    golden = json.loads((folder / "llama/golden.json").read_text())
    prompt = {key: value for key, value in golden.items() if key not in ("greedy_full", "cases")}
    llama, gpt2 = (json.loads((folder / name / "config.json").read_text()) for name in ("llama", "gpt2"))
    torch.manual_seed(20241004)
    models = {"swiftkv": random_llama_swiftkv(4, 2, 1, llama), "swiftkv_across": random_llama_swiftkv(6, 2, 2, llama), "gpt2_scored": random_gpt2(gpt2)}
    for name, (config, weights) in models.items():
        config.pop("eos_token_id")  # a random continuation goes on
        to = folder / name
        to.mkdir(exist_ok=True)
        tensors, found = figures(make_model(config, weights), prompt, True)
        (to / "config.json").write_text(json.dumps(config, indent=2) + "\n")
        (to / "golden.json").write_text(json.dumps(found))
        save_file({key: tensor.contiguous() for key, tensor in weights.items()}, to / "model.safetensors", {"format": "pt"})
        save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, to / "golden.safetensors")


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in ("check", "make"):
        sys.exit(__doc__)
    torch.set_grad_enabled(False)
    for argument in sys.argv[2:]:
        (check if sys.argv[1] == "check" else make)(Path(argument))
