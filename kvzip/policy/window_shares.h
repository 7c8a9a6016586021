// What the last queries of a document attend to, for the scorers that judge by them (SnapKV, TOVA).
#pragma once

#include <vector>

#include "kvzip/policy/scorer.h"

namespace kvzip {

class WindowShares {
 public:
  /// Of the last `window` queries, or of half of all where there are not twice as many.
  WindowShares(const ScorerSetup& setup, size_t window);

  size_t queries() const { return window_; }
  /// Rows that come before the window: the ones that get shares.
  size_t before() const { return before_; }
  void observe(size_t layer, const LayerQueries& queries, const LayerRows& rows);
  /// The mean over the window's queries and over the query heads that use the KV head, `[kv_heads, before()]`.
  std::vector<float> mean(size_t layer) const;

 private:
  struct Layer {
    std::vector<float> sums;
    size_t seen = 0;  // queries and query heads per KV head
  };

  size_t window_;
  size_t before_;
  float scale_;
  std::vector<Layer> layers_;
};

/// Scores of a layer from `before` (`[kv_heads, n]`, the rows before a window): the window's rows get the best score of
/// all, so that they stay.
void keep_window(std::span<const float> before, const LayerRows& rows, std::span<float> scores);

}  // namespace kvzip
