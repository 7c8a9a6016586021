#include "kvzip/policy/window_shares.h"

#include <algorithm>

#include "kvzip/base/parallel.h"
#include "kvzip/policy/attention_shares.h"

namespace kvzip {

WindowShares::WindowShares(const ScorerSetup& setup, size_t window)
    : window_(std::min(window, setup.rows / 2)),
      before_(setup.rows - window_),
      scale_(setup.config->attention_scale),
      layers_(setup.layers, Layer{std::vector<float>(setup.kv_heads * before_), 0}) {}

void WindowShares::observe(size_t layer, const LayerQueries& queries, const LayerRows& rows) {
  Layer& to = layers_[layer];
  const size_t group = queries.heads / rows.kv_heads;
  parallel_ranges(rows.kv_heads, 1, [&](size_t begin, size_t end) {
    std::vector<float> shares;
    for (size_t head = begin; head < end; ++head) {
      for (size_t i = 0; i < queries.count * group; ++i) {
        const size_t query = i / group;
        shares.resize(queries.first_row + query + 1);
        attention_shares(rows, head, queries.at(query, head * group + i % group), scale_, shares);
        for (size_t row = 0; row < before_; ++row) to.sums[head * before_ + row] += shares[row];
      }
    }
  });
  to.seen += queries.count * group;
}

std::vector<float> WindowShares::mean(size_t layer) const {
  std::vector<float> mean = layers_[layer].sums;
  for (float& share : mean) share /= static_cast<float>(std::max<size_t>(layers_[layer].seen, 1));
  return mean;
}

void keep_window(std::span<const float> before, const LayerRows& rows, std::span<float> scores) {
  const size_t count = before.size() / rows.kv_heads;
  const float best = before.empty() ? 0 : *std::max_element(before.begin(), before.end());
  std::fill(scores.begin(), scores.end(), best);
  for (size_t head = 0; head < rows.kv_heads; ++head) {
    std::copy_n(before.begin() + static_cast<std::ptrdiff_t>(head * count), count,
                scores.begin() + static_cast<std::ptrdiff_t>(head * rows.rows));
  }
}

}  // namespace kvzip
