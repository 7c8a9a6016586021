#include "kvzip/eval/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <vector>

#include "kvzip/base/check.h"

namespace kvzip {
namespace {

double sum(std::span<const double> values) { return std::accumulate(values.begin(), values.end(), 0.0); }

/// The value below which `part` of the sorted values lie, between neighbours in proportion.
double quantile(std::span<const double> sorted, double part) {
  const double place = part * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

Estimate interval(double value, std::vector<double> resampled, const BootstrapOptions& options) {
  if (resampled.empty()) return {.value = value, .low = value, .high = value};
  std::sort(resampled.begin(), resampled.end());
  const double tail = (1 - options.confidence) / 2;
  return {.value = value, .low = quantile(resampled, tail), .high = quantile(resampled, 1 - tail)};
}

}  // namespace

Estimate bootstrap_mean(std::span<const double> values, const BootstrapOptions& options) {
  const std::vector<double> ones(values.size(), 1.0);
  return bootstrap_ratio(values, ones, options);
}

Estimate bootstrap_ratio(std::span<const double> values, std::span<const double> reference,
                         const BootstrapOptions& options) {
  check(values.size() == reference.size(), "a ratio's values come in pairs");
  const double whole = sum(reference);
  if (values.empty() || whole == 0) return {};
  // A modulo of 64 random bits: its bias is far below what a bootstrap can show, and it is the same everywhere.
  std::mt19937_64 random(options.seed);
  std::vector<double> resampled;
  resampled.reserve(options.resamples);
  for (size_t i = 0; i < options.resamples; ++i) {
    double above = 0;
    double below = 0;
    for (size_t draw = 0; draw < values.size(); ++draw) {
      const auto chosen = static_cast<size_t>(random() % values.size());
      above += values[chosen];
      below += reference[chosen];
    }
    if (below != 0) resampled.push_back(above / below);
  }
  return interval(sum(values) / whole, std::move(resampled), options);
}

}  // namespace kvzip
