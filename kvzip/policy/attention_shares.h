// The attention that one query pays to each row, for scorers. Pure functions.
#pragma once

#include <span>

#include "kvzip/policy/scorer.h"

namespace kvzip {

/// shares[r] = softmax over the rows r < shares.size() of scale * (query . key r), for one KV head.
void attention_shares(const LayerRows& rows, size_t kv_head, const float* query, float scale, std::span<float> shares);

}  // namespace kvzip
