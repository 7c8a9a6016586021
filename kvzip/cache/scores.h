// Importance of every document position, per scored layer and KV head.
#pragma once

#include <cstddef>
#include <functional>
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

/// Scores that are yet to be worked out; may be called once.
using ScoresFn = std::function<Scores()>;

/// Scores of some rows of each head where all others score lower, which is all that choosing the best rows takes:
/// views, valid as long as what they were made of.
struct BestScores {
  size_t layers = 0;
  size_t kv_heads = 0;
  size_t len = 0;                               ///< rows of the document, with those that aren't here
  std::vector<std::span<const float>> heads{};  ///< `[layers * kv_heads]` of at most `len` scores
};
/// Of all rows.
inline BestScores all_of(const Scores& scores) {
  BestScores all{scores.layers, scores.kv_heads, scores.len};
  for (size_t i = 0; i < scores.layers * scores.kv_heads; ++i) {
    all.heads.push_back(scores.row(i / scores.kv_heads, i % scores.kv_heads));
  }
  return all;
}

}  // namespace kvzip
