#include "kvzip/model/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kvzip/base/parallel.h"

namespace kvzip {
namespace {

// The pair that turns `rotations` times over the original context.
double yarn_pair(const RopeConfig& config, double rotations) {
  const auto dims = static_cast<double>(config.dims);
  const double positions = static_cast<double>(config.original_context) / (rotations * 2 * std::numbers::pi);
  return dims * std::log(positions) / (2 * std::log(config.base));
}

// 0 for pairs that keep their frequency, 1 for those that are interpolated, linear between.
double yarn_ramp(const RopeConfig& config, size_t pair) {
  const double low = std::max(std::floor(yarn_pair(config, config.beta_fast)), 0.0);
  const double high = std::min(std::ceil(yarn_pair(config, config.beta_slow)), static_cast<double>(config.dims) - 1);
  const double width = high > low ? high - low : 0.001;
  return std::clamp((static_cast<double>(pair) - low) / width, 0.0, 1.0);
}

}  // namespace

Rope make_rope(const RopeConfig& config) {
  Rope rope;
  for (size_t pair = 0; pair < config.dims / 2; ++pair) {
    double frequency = std::pow(config.base, -2.0 * static_cast<double>(pair) / static_cast<double>(config.dims));
    if (config.scaling == RopeScaling::linear) frequency /= config.factor;
    if (config.scaling == RopeScaling::yarn) {
      const double ramp = yarn_ramp(config, pair);
      frequency = frequency * (1 - ramp) + frequency / config.factor * ramp;
    }
    if (!config.frequency_divisors.empty()) frequency /= static_cast<double>(config.frequency_divisors[pair]);
    rope.frequencies.push_back(static_cast<float>(frequency));
  }
  if (config.scaling == RopeScaling::yarn) {
    const double usual = config.factor > 1 ? 0.1 * std::log(config.factor) + 1 : 1;
    rope.magnitude = static_cast<float>(config.attention_factor > 0 ? config.attention_factor : usual);
  }
  return rope;
}

void fill_cos_sin(const Rope& rope, size_t first_position, size_t tokens, float* out) {
  const size_t pairs = rope.frequencies.size();
  parallel_ranges(tokens, 64, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      float* row = out + i * 2 * pairs;
      const auto position = static_cast<float>(first_position + i);
      for (size_t pair = 0; pair < pairs; ++pair) {
        const float angle = position * rope.frequencies[pair];
        row[pair] = std::cos(angle) * rope.magnitude;
        row[pairs + pair] = std::sin(angle) * rope.magnitude;
      }
    }
  });
}

}  // namespace kvzip
