#include "kvzip/policy/kept_pairs.h"

#include <algorithm>
#include <numeric>

#include "kvzip/base/check.h"

namespace kvzip {

std::vector<uint8_t> kept_mask(const Scores& scores, const Keep& keep) {
  std::vector<uint8_t> mask(scores.values.size());
  std::vector<uint32_t> order(scores.len);
  for (size_t i = 0; i < keep.rows.size(); ++i) {
    const auto row = scores.row(i / keep.kv_heads, i % keep.kv_heads);
    std::iota(order.begin(), order.end(), 0U);
    std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return row[a] > row[b]; });
    for (size_t k = 0; k < keep.rows[i]; ++k) mask[i * scores.len + order[k]] = 1;
  }
  return mask;
}

double share_in_common(std::span<const uint8_t> kept, std::span<const uint8_t> reference) {
  check(kept.size() == reference.size(), "masks of one document are compared");
  size_t common = 0;
  size_t all = 0;
  for (size_t i = 0; i < kept.size(); ++i) {
    all += reference[i];
    common += reference[i] != 0 && kept[i] != 0 ? 1 : 0;
  }
  return all == 0 ? 1 : static_cast<double>(common) / static_cast<double>(all);
}

}  // namespace kvzip
