// A model's hyperparameters, whatever file they came from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
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
  size_t token_types = 0;  ///< vectors that tell the texts of an input apart, one of which each token gets
  Activation activation = Activation::silu;
  size_t context_length = 0;  ///< tokens seen in training, with the file's own scaling applied
  float norm_eps = 0;
  float attention_scale = 0;
  std::vector<size_t> windows;  ///< per layer, 0 = global
  /// Leading layers whose keys and values come from their own input. Those of later layers all come from what leaves
  /// these (SwiftKV's SingleInputKV), and `kv_group` neighbouring layers use the same ones (AcrossKV).
  size_t own_kv_layers = 0;
  size_t kv_group = 1;
  RopePairing rope_pairing = RopePairing::halves;  ///< as the file stores q and k
  RopeConfig rope;                                 ///< dims 0 where positions are learned
  std::optional<RopeConfig> local_rope;            ///< of sliding layers, where they have one of their own
  bool tied_output = false;                        ///< the embedding is the output matrix too
  bool qkv_bias = false;                           ///< which projections have biases
  bool attention_output_bias = false;
  bool feed_forward_bias = false;

  /// KV layers: sets of keys and values that a cache holds.
  size_t kv_layers() const { return own_kv_layers + (layers - own_kv_layers) / kv_group; }
  /// The KV layer that a layer's attention reads.
  size_t kv_layer(size_t layer) const {
    return layer < own_kv_layers ? layer : own_kv_layers + (layer - own_kv_layers) / kv_group;
  }
};

/// Throws Error{unsupported} naming the model where it is an encoder, which writes no text, or, for the second, where
/// it isn't one.
void require_decoder(const ModelConfig& config);
void require_encoder(const ModelConfig& config);

/// Far beyond any model there is; keeps all later products of sizes far from overflow.
inline constexpr uint64_t kMaxLayers = 4096;
inline constexpr uint64_t kMaxWidth = 1U << 24U;
inline constexpr uint64_t kMaxContext = uint64_t{1} << 40U;

/// Reads and checks the hyperparameters of a GGUF file, but for the vocabulary's size. Throws Error{input} naming the
/// key, Error{unsupported} for a family or a variant that isn't ours.
ModelConfig read_config(const Gguf& file);

}  // namespace kvzip
