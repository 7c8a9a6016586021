// Pyramid budgets (Cai et al. 2024, "PyramidKV: Dynamic KV Cache Compression based on Pyramidal Information
// Funneling"): early layers, whose attention is spread wide, keep more rows than late ones. With m = n r rows per head
// on average, layer l of L keeps the best int(max - (max - min) l / (L - 1)) of each of its heads, min = m / 20 and
// max = 2 m - min; where max exceeds the n rows there are, max = n and min = 2 m - n.
#include <utility>

#include "kvzip/policy/level_rules.h"

namespace kvzip {
namespace {

constexpr double kSteepness = 20;

}  // namespace

Selection select_pyramid(const BestScores& scores, double ratio, Keep keep) {
  const auto len = static_cast<double>(scores.len);
  const double mean = len * ratio;
  double least = mean / kSteepness;
  double most = 2 * mean - least;
  if (most > len) {
    most = len;
    least = 2 * mean - len;
  }
  for (size_t layer = 0; layer < scores.layers; ++layer) {
    const double depth = scores.layers > 1 ? static_cast<double>(layer) / static_cast<double>(scores.layers - 1) : 0.5;
    const auto rows = static_cast<uint32_t>(most - (most - least) * depth);
    for (size_t head = 0; head < scores.kv_heads; ++head) keep.rows[layer * scores.kv_heads + head] = rows;
  }
  return {std::move(keep), 0};
}

}  // namespace kvzip
