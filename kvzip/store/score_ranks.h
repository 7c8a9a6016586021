// Scores as a context file keeps them: the ranks of the rows, which decide what every ratio keeps, and every 1,024th
// score of the ranking, from which the others are restored closely enough to be looked at. Pure functions.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "kvzip/cache/context.h"
#include "kvzip/store/order_code.h"

namespace kvzip {

inline constexpr size_t kScoreStep = 1024;

/// Numbers of samples for so many rows: the first of every 1,024 in descending order, and the last.
inline size_t score_samples(size_t rows) { return rows == 0 ? 0 : (rows - 1 + kScoreStep - 1) / kScoreStep + 1; }

struct RankedScores {
  RowOrder order;
  std::vector<float> samples;
};

/// Throws Error{unsupported} for more rows than 32 bits count.
RankedScores rank_scores(const Context& context);

/// Scores of the same order: higher, lower and equal exactly where the original ones were, equal to them at the samples
/// and between two neighbouring ones elsewhere. Rows that aren't held score 0. `held` gives the shape; throws
/// Error{input} naming `path` where samples and ranks contradict each other.
Scores restore_scores(const RankedScores& ranked, const Keep& held, const std::string& path);

}  // namespace kvzip
