#include "kvzip/view/keep_steps.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "kvzip/base/check.h"

namespace kvzip {
namespace {

// Steps of half a percent: `step / 200` is the very number that "0.3" is read as.
constexpr int kFirstStep = 2;
constexpr int kWholeStep = 200;
constexpr size_t kMostRatios = 255;  // and one value that says "none"

/// The rule of policy/level.cpp for many ratios after one sorting; the tests hold the two together.
std::vector<float> thresholds_for(std::vector<float> values, const std::vector<double>& ratios) {
  std::sort(values.begin(), values.end(), std::greater<>());
  std::vector<float> thresholds;
  for (const double ratio : ratios) {
    const auto wanted = static_cast<size_t>(static_cast<double>(values.size()) * ratio);
    thresholds.push_back(ratio >= 1 || values.empty() ? 0.0F : values[wanted > 0 ? wanted - 1 : 0]);
  }
  return thresholds;
}

}  // namespace

std::vector<double> slider_ratios(double own, double most) {
  std::vector<double> ratios = {own, most};
  for (int step = kFirstStep; step <= kWholeStep; ++step) {
    const double ratio = static_cast<double>(step) / kWholeStep;
    if (ratio < most) ratios.push_back(ratio);
  }
  std::sort(ratios.begin(), ratios.end());
  ratios.erase(std::unique(ratios.begin(), ratios.end()), ratios.end());
  return ratios;
}

KeepSteps keep_steps(const Scores& scores, std::vector<double> ratios) {
  check(!ratios.empty() && ratios.size() <= kMostRatios, "a byte tells all keep ratios apart");
  check(std::is_sorted(ratios.begin(), ratios.end()), "keep ratios ascend");
  KeepSteps steps{std::move(ratios), {}, std::vector<uint8_t>(scores.values.size())};
  steps.thresholds = thresholds_for(scores.values, steps.ratios);
  // Thresholds fall as ratios grow. Ratio 1 has none: it keeps what no other lets through.
  const auto end = steps.thresholds.end() - (steps.ratios.back() >= 1 ? 1 : 0);
  for (size_t i = 0; i < scores.values.size(); ++i) {
    const auto first = std::partition_point(steps.thresholds.begin(), end,
                                            [&](float threshold) { return !(scores.values[i] > threshold); });
    steps.first_kept[i] = static_cast<uint8_t>(first - steps.thresholds.begin());
  }
  return steps;
}

}  // namespace kvzip
