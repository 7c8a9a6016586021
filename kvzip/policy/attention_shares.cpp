#include "kvzip/policy/attention_shares.h"

#include <algorithm>
#include <cmath>

#include "kvzip/policy/vectors.h"

namespace kvzip {

void attention_shares(const LayerRows& rows, size_t kv_head, const float* query, float scale, std::span<float> shares,
                      size_t first) {
  for (size_t row = 0; row < shares.size(); ++row) {
    shares[row] = scale * dot(query, rows.key(kv_head, first + row), rows.head_dim);
  }
  const float highest = shares.empty() ? 0 : *std::max_element(shares.begin(), shares.end());
  float sum = 0;
  for (float& share : shares) {
    share = std::exp(share - highest);
    sum += share;
  }
  for (float& share : shares) share /= sum;
}

}  // namespace kvzip
