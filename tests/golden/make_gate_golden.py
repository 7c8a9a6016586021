"""Makes gates/fast_kvzip_tiny.pt: weights in the form that Fast KVzip publishes, as torch.save() writes them, for
tiny/llama. Value i of array number a (in the order below) of layer l is ((7 i + 13 a + 29 l) mod 61 - 30) / 32, which bf16
holds exactly. Run with torch 2.15: python make_gate_golden.py"""
import argparse
import pathlib
from collections import OrderedDict

import torch

HIDDEN, HEADS, LAYERS, GROUP, DIM, SINKS = 64, 2, 4, 3, 4, 5
ARRAYS = {  # projections and offsets are bf16 in the published files, norms and sinks f32
    "q_proj.weight": ((HEADS * GROUP * DIM, HIDDEN), torch.bfloat16),
    "q_proj.bias": ((HEADS * GROUP * DIM,), torch.bfloat16),
    "k_proj.weight": ((HEADS * DIM, HIDDEN), torch.bfloat16),
    "q_norm.weight": ((DIM,), torch.float32),
    "k_norm.weight": ((DIM,), torch.float32),
    "k_base": ((HEADS, 1, SINKS, DIM), torch.float32),
    "b": ((HEADS, 1, GROUP), torch.bfloat16),
}


def values(layer, array, shape):
    count = torch.Size(shape).numel()
    return ((7 * torch.arange(count) + 13 * array + 29 * layer) % 61 - 30).float().div(32).reshape(shape)


def main():
    layers = []
    for layer in range(LAYERS):
        state = OrderedDict()
        state._metadata = OrderedDict([("", {"version": 1})])
        for array, (name, (shape, dtype)) in enumerate(ARRAYS.items()):
            state[name] = values(layer, array, shape).to(dtype)
        layers.append(state)
    target = pathlib.Path(__file__).parent / "gates" / "fast_kvzip_tiny.pt"
    torch.save({"module": layers, "args": argparse.Namespace(sink=SINKS, model="tiny"), "step": 3}, target)


main()
