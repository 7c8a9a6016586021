// The attention that one query pays to each row. Pure functions.
#pragma once

#include <span>

#include "kvzip/policy/scorer.h"

namespace kvzip {

/// shares[r] = softmax over r < shares.size() of scale * (query . key first + r), for one KV head.
void attention_shares(const LayerRows& rows, size_t kv_head, const float* query, float scale, std::span<float> shares,
                      size_t first = 0);

}  // namespace kvzip
