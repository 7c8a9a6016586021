// Which pairs a selection keeps, one by one, and how alike two selections are. Pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kvzip/cache/keep.h"
#include "kvzip/cache/scores.h"

namespace kvzip {

/// 1 for every kept pair, `[layers, kv_heads, len]`: those that `keep` counts among their head's best, ties in reading
/// order, as in a Context.
std::vector<uint8_t> kept_mask(const Scores& scores, const Keep& keep);

/// Fraction of the pairs kept by `reference` that `kept` keeps too; 1 where there are none. Both masks are of one
/// shape.
double share_in_common(std::span<const uint8_t> kept, std::span<const uint8_t> reference);

}  // namespace kvzip
