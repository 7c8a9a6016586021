// Rotary position embeddings: frequencies with the scalings that model files declare, and tables of their angles.
#pragma once

#include <cstddef>
#include <vector>

namespace kvzip {

enum class RopeScaling : unsigned char { none, linear, yarn };

struct RopeConfig {
  double base = 10000;
  size_t dims = 0;  ///< values of a head that are rotated
  RopeScaling scaling = RopeScaling::none;
  double factor = 1;            ///< of linear and YaRN scaling
  size_t original_context = 0;  ///< YaRN: positions seen in training
  double beta_fast = 32;        ///< YaRN (Peng et al. 2023, section 3.2)
  double beta_slow = 1;
  double attention_factor = 0;  ///< YaRN: factor on cosines and sines; 0 = 0.1 ln(factor) + 1, its section 3.4
  std::vector<float> frequency_divisors{};  ///< per pair, as in Llama 3.1; empty = ones
};

/// Angles per position and pair, ready to be applied.
struct Rope {
  std::vector<float> frequencies;  ///< `[dims / 2]` radians per position
  float magnitude = 1;             ///< factor on cosines and sines (YaRN's attention temperature)
};

Rope make_rope(const RopeConfig& config);

/// Writes `[tokens, dims]`: the cosines of the pairs, then their sines, for positions first_position, first_position +
/// 1, ... Angles are products in f32, as the reference implementations compute them.
void fill_cos_sin(const Rope& rope, size_t first_position, size_t tokens, float* out);

}  // namespace kvzip
