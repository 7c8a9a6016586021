// A model's weights as views that the backend can read. Owns what had to be converted or uploaded; everything else
// points into the mapped files, which must outlive it.
#pragma once

#include <vector>

#include "kvzip/backend/backend.h"
#include "kvzip/model/config.h"
#include "kvzip/model/share.h"
#include "kvzip/model/tensor_source.h"

namespace kvzip {

enum class WeightMode : uint8_t {
  stored,  ///< as the file has them, in place where the device can read them
  f32,     ///< all dequantised
};

/// Vectors `[hidden]`; `bias` is null where norms have none.
struct NormWeights {
  const float* weight = nullptr;
  const float* bias = nullptr;
};

/// Matrices are `[out, in]`; vectors are f32. Null where the family has none.
struct LayerWeights {
  NormWeights attention_norm;  ///< before attention; with post_norm of the sum after it
  ConstView q, k, v, o;        ///< k and v of a KV layer that several layers share: those of the first one
  const float* q_bias = nullptr;
  const float* k_bias = nullptr;
  const float* v_bias = nullptr;
  const float* o_bias = nullptr;
  const float* q_norm = nullptr;  ///< `[head_dim]`
  const float* k_norm = nullptr;
  const float* post_attention_norm = nullptr;
  NormWeights feed_forward_norm;  ///< likewise
  ConstView gate, up, down;
  const float* gate_bias = nullptr;
  const float* up_bias = nullptr;
  const float* down_bias = nullptr;
  const float* post_feed_forward_norm = nullptr;
};

struct Weights {
  ConstView embedding;         ///< `[vocab, hidden]`
  ConstView output;            ///< `[vocab, hidden]`, or the device's output_rows() of it; rows of a tied embedding
  ConstView positions;         ///< `[context_length, hidden]`, where positions are learned
  ConstView token_types;       ///< `[token_types, hidden]`, where there are any
  NormWeights embedding_norm;  ///< with post_norm; null otherwise
  NormWeights output_norm;     ///< null with post_norm
  ConstView pooler;            ///< `[hidden, hidden]`, of encoders that have one: from the first row, then tanh
  const float* pooler_bias = nullptr;
  const float* shared_kv_norm = nullptr;  ///< `[hidden]`, of the input of all keys and values that aren't own ones
  std::vector<LayerWeights> layers;
  std::vector<Buffer> owned;
  size_t bytes = 0;  ///< of all matrices and vectors as held
};

struct WeightOptions {
  WeightMode mode = WeightMode::stored;
  Share share{};
};

/// Loads every tensor that the family needs; `config` says what the device computes, and of each tensor no more than
/// that is loaded. Biases of products that are summed over the devices go to the first one. Throws Error{input} naming
/// a tensor that is missing or of the wrong shape, and what was expected; Error{unsupported} where a share would begin
/// or end within a quantised block.
Weights load_weights(const TensorSource& source, const ModelConfig& config, Backend& backend,
                     const WeightOptions& options);

}  // namespace kvzip
