// What gates are made of: plain numbers, as files hold them, of each kind. Values; safe from any number of threads as
// long as nobody changes them.
#pragma once

#include <cstddef>
#include <variant>
#include <vector>

#include "kvzip/model/model.h"

namespace kvzip {

/// The first of the model's layers that uses each scored set of keys and values: the layers that a gate looks at.
std::vector<size_t> gate_layers(const Model& model);

/// log score [layer, head] of a token = weights [layer, head] . x + bias [layer, head], x being the layer's input after
/// its norm; `layers` counts scored ones. What `kvzip learn` finds, and KVzap's linear kind (Jeblick and Jegou 2026,
/// arXiv 2601.07891).
struct GateWeights {
  size_t layers = 0;
  size_t kv_heads = 0;
  size_t hidden = 0;
  std::vector<float> weights;  ///< `[layers, kv_heads, hidden]`
  std::vector<float> bias;     ///< `[layers, kv_heads]`

  bool fits(const Model& model) const;
};

/// A product of many layers: y = weights . x + bias.
struct GateProduct {
  size_t out = 0;
  size_t in = 0;
  std::vector<float> weights;  ///< `[out, in]`
  std::vector<float> bias;     ///< `[out]`; empty = none
};

/// log score [layer, head] = (second . gelu(first . x + bias) + bias) [head]: KVzap's other kind, with
/// GELU itself.
struct MlpGateWeights {
  struct Layer {
    GateProduct first;   ///< `[width, hidden]`
    GateProduct second;  ///< `[kv_heads, width]`
  };
  std::vector<Layer> layers;  ///< scored ones

  bool fits(const Model& model) const;
};

/// Fast KVzip (Kim, Han and Yun 2026, arXiv 2601.17668): each KV head weighs its own token against some keys that stand
/// for everything else. With q_g and k, of `dim` values each, from x by a product and an RMS norm (epsilon 1e-6),
///
///     score [layer, head] = mean over g of 1 / (1 + sum_s exp(sinks_s . q_g / sqrt(dim) - k . q_g / sqrt(dim) - b_g))
struct SinkGateWeights {
  struct Layer {
    GateProduct queries;         ///< `[kv_heads * group * dim, hidden]`, with a bias
    GateProduct keys;            ///< `[kv_heads * dim, hidden]`, without one
    std::vector<float> q_norm;   ///< `[dim]`
    std::vector<float> k_norm;   ///< `[dim]`
    std::vector<float> sinks;    ///< `[kv_heads, sinks, dim]`
    std::vector<float> offsets;  ///< `[kv_heads, group]`
  };
  size_t dim = 0;
  size_t group = 0;  ///< queries of a KV head
  size_t sinks = 0;  ///< keys that stand for everything else
  std::vector<Layer> layers;

  bool fits(const Model& model) const;
};

using AnyGateWeights = std::variant<GateWeights, MlpGateWeights, SinkGateWeights>;

bool fits(const AnyGateWeights& weights, const Model& model);

}  // namespace kvzip
