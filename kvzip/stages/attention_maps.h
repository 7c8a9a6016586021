// Attention as a model pays it: of every query, its shares over the positions that it sees, layer by layer and head by
// head. Stateless; one thread at a time.
#pragma once

#include <vector>

#include "kvzip/base/progress.h"
#include "kvzip/stages/encode.h"

namespace kvzip {

/// The shares among the positions [first, first + len) of an input.
struct AttentionMaps {
  size_t layers = 0;
  size_t heads = 0;
  size_t first = 0;
  size_t len = 0;
  /// `[layers, heads, len, len]`: softmax over k of scale * (q . k), 0 where q doesn't see k. Rows add up to one where
  /// the range begins at 0; else what a query pays to positions before it is missing.
  std::vector<float> weights;

  float at(size_t layer, size_t head, size_t query, size_t key) const {
    return weights[((layer * heads + head) * len + query) * len + key];
  }
};

struct AttentionOptions {
  size_t first = 0;
  size_t end = 0;                  ///< 0 = that of the input
  DType kv_type = DType::f16;      ///< f32, f16 or bf16
  ProgressFn progress{};           ///< stage "attention", in tokens
  size_t most = size_t{1} << 28U;  ///< weights that are computed at most: 1 GiB
};

/// Positions whose maps of all heads are at most `most` weights.
size_t most_positions(const ModelConfig& config, size_t most);

/// Runs a decoder up to `end`, an encoder over all of `input`. Throws Error{input} for a range that is empty, lies
/// beyond the input or the model's context, or needs more than `most` weights; Error{memory}; Error{cancelled}.
AttentionMaps attention_maps(const Model& model, const EncoderInput& input, const AttentionOptions& options = {});

}  // namespace kvzip
