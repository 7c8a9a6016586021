// What every stop of a page's slider keeps, in one byte per pair. Pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "kvzip/cache/scores.h"

namespace kvzip {

/// Keep ratios and, for every pair, the first of them at which it is kept: as a smaller ratio never keeps what a larger
/// one drops, that says at all of them whether it is.
struct KeepSteps {
  std::vector<double> ratios;       ///< in (0, 1], ascending
  std::vector<float> thresholds;    ///< per ratio, what select() says of it: kept scores are higher; 0 at ratio 1
  std::vector<uint8_t> first_kept;  ///< `[layers, kv_heads, len]` indices into `ratios`; their number: none keeps it
};

/// 0.01, 0.015, 0.02, ... up to `most`, which is in (0, 1] and the last of them, and `own` where it is none of these.
/// `own` must be in (0, most].
std::vector<double> slider_ratios(double own, double most);

/// By the rule of Level::pair: at every one of `ratios`, exactly what select() keeps. The ratios must be ascending and
/// at most 255. Sorts the scores once.
KeepSteps keep_steps(const Scores& scores, std::vector<double> ratios);

}  // namespace kvzip
