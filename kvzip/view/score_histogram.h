// How scores are spread over powers of ten. Pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "kvzip/cache/scores.h"

namespace kvzip {

/// Bins of equal width in log10(score), from 10^kLowestDecade to 1.
struct ScoreHistogram {
  static constexpr int kLowestDecade = -7;
  static constexpr int kBinsPerDecade = 8;
  static constexpr int kBins = -kLowestDecade * kBinsPerDecade;

  std::vector<uint32_t>
      counts;  ///< `[layers, kv_heads, kBins]`; scores beyond either end are in the bin at that end, 0 in none
};

ScoreHistogram score_histogram(const Scores& scores);

}  // namespace kvzip
