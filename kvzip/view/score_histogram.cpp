#include "kvzip/view/score_histogram.h"

#include <algorithm>
#include <cmath>

namespace kvzip {
namespace {

size_t bin_of(float score) {
  const double bin = (std::log10(score) - ScoreHistogram::kLowestDecade) * ScoreHistogram::kBinsPerDecade;
  return static_cast<size_t>(std::clamp(bin, 0.0, static_cast<double>(ScoreHistogram::kBins - 1)));
}

}  // namespace

ScoreHistogram score_histogram(const Scores& scores) {
  ScoreHistogram histogram{std::vector<uint32_t>(scores.layers * scores.kv_heads * ScoreHistogram::kBins)};
  for (size_t i = 0; i < scores.values.size(); ++i) {
    if (!(scores.values[i] > 0)) continue;
    const size_t head = i / scores.len;
    ++histogram.counts[head * ScoreHistogram::kBins + bin_of(scores.values[i])];
  }
  return histogram;
}

}  // namespace kvzip
