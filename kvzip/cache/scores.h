// Importance of every document position, per scored layer and KV head.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace kvzip {

/// `[layers, kv_heads, len]` in host memory; `layers` counts the scored (global) layers only, `len` the document
/// without the system prompt. More is more important. KVzip's values are in [0, 1]: the largest share of attention that
/// any query of the repetition gave to the pair. Other methods (policy/methods.h) have scales of their own; none is
/// below 0.
struct Scores {
  size_t layers = 0;
  size_t kv_heads = 0;
  size_t len = 0;
  std::vector<float> values;

  Scores() = default;
  Scores(size_t layer_count, size_t head_count, size_t length)
      : layers(layer_count), kv_heads(head_count), len(length), values(layer_count * head_count * length) {}

  std::span<float> row(size_t layer, size_t head) {
    return std::span(values).subspan((layer * kv_heads + head) * len, len);
  }
  std::span<const float> row(size_t layer, size_t head) const {
    return std::span(values).subspan((layer * kv_heads + head) * len, len);
  }
};

}  // namespace kvzip
