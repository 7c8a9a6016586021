// A model's hyperparameters, whatever file they came from.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "kvzip/model/arch.h"
#include "kvzip/model/gguf.h"
#include "kvzip/model/rope.h"

namespace kvzip {

struct ModelConfig {
  const Arch* arch = nullptr;
  std::string name;
  size_t layers = 0;
  size_t hidden = 0;
  size_t heads = 0;
  size_t kv_heads = 0;
  size_t head_dim = 0;
  size_t feed_forward = 0;
  size_t vocab = 0;
  size_t context_length = 0;  ///< tokens seen in training, with the file's own scaling applied
  float norm_eps = 0;
  float attention_scale = 0;
  std::vector<size_t> windows;  ///< per layer, 0 = global
  /// Leading layers whose keys and values come from their own input. Those of later layers all come from what leaves
  /// these (SwiftKV's SingleInputKV), and `kv_group` neighbouring layers use the same ones (AcrossKV).
  size_t own_kv_layers = 0;
  size_t kv_group = 1;
  RopeConfig rope;        ///< of global layers
  RopeConfig local_rope;  ///< of sliding layers

  /// KV layers: sets of keys and values that a cache holds.
  size_t kv_layers() const { return own_kv_layers + (layers - own_kv_layers) / kv_group; }
  /// The KV layer that a layer's attention reads.
  size_t kv_layer(size_t layer) const {
    return layer < own_kv_layers ? layer : own_kv_layers + (layer - own_kv_layers) / kv_group;
  }
};

/// Reads and checks the hyperparameters. Throws Error{input} naming the key, Error{unsupported} for a family or a
/// variant that isn't ours.
ModelConfig read_config(const Gguf& file);

}  // namespace kvzip
