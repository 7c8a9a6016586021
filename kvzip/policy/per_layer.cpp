// Per-layer budgets shared by heads as they need them (Feng et al. 2024, "Ada-KV: Optimizing KV Cache Eviction by
// Adaptive Budget Allocation for Efficient LLM Inference"). Of n rows a layer keeps int(n r) per head on average. Each
// head gets int(0.2 int(n r)) for its best rows whatever they score; the layer's highest scores among all other rows
// share the rest.
#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "kvzip/policy/level_rules.h"

namespace kvzip {
namespace {

constexpr double kFloor = 0.2;

/// How many of the `count` best of all `heads` scores each head has; of equal ones, those of earlier heads come first.
std::vector<size_t> share_out(const std::vector<std::vector<float>>& heads, size_t count) {
  std::vector<std::pair<float, size_t>> all;  // score and head
  for (size_t head = 0; head < heads.size(); ++head) {
    for (const float score : heads[head]) all.emplace_back(score, head);
  }
  count = std::min(count, all.size());
  const auto before = [](const auto& a, const auto& b) {
    return a.first > b.first || (a.first == b.first && a.second < b.second);
  };
  const auto end = all.begin() + static_cast<std::ptrdiff_t>(count);
  std::nth_element(all.begin(), end, all.end(), before);
  std::vector<size_t> shares(heads.size());
  for (auto one = all.begin(); one != end; ++one) ++shares[one->second];
  return shares;
}

}  // namespace

Selection select_per_layer(const BestScores& scores, double ratio, Keep keep) {
  const auto rows = static_cast<size_t>(static_cast<double>(scores.len) * ratio);
  const auto sure = static_cast<size_t>(static_cast<double>(rows) * kFloor);
  for (size_t layer = 0; layer < scores.layers; ++layer) {
    std::vector<std::vector<float>> others;  // what each head has beyond its sure rows
    for (size_t head = 0; head < scores.kv_heads; ++head) {
      const auto row = scores.heads[layer * scores.kv_heads + head];
      others.emplace_back(row.begin(), row.end());
      const auto best = others.back().begin() + static_cast<std::ptrdiff_t>(std::min(sure, row.size()));
      std::nth_element(others.back().begin(), best, others.back().end(), std::greater<>());
      others.back().erase(others.back().begin(), best);
    }
    const std::vector<size_t> shares = share_out(others, (rows - sure) * scores.kv_heads);
    for (size_t head = 0; head < scores.kv_heads; ++head) {
      keep.rows[layer * scores.kv_heads + head] = static_cast<uint32_t>(sure + shares[head]);
    }
  }
  return {std::move(keep), 0};
}

}  // namespace kvzip
