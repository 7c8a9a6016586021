// raise_scores() against plain loops.
#include "kvzip/backend/cpu/score.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <random>
#include <vector>

#include "kvzip/backend/cpu/products.h"

namespace kvzip::attention {
namespace {

TEST(ScoreTest, RaisesToTheMaximumOfScaledRows) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> uniform;
  for (const size_t rows : {0, 1, 2, 7, 100}) {
    for (const DType dtype : {DType::f32, DType::bf16}) {
      std::vector<float> values(rows * kBlockKeys);
      for (float& value : values) {
        value = std::bit_cast<float>(std::bit_cast<uint32_t>(uniform(random)) & 0xFFFF0000);  // also a bf16
      }
      alignas(64) static std::byte stored[100 * kBlockKeys * sizeof(float)];
      for (size_t i = 0; i < values.size(); ++i) {
        const auto bits = std::bit_cast<uint32_t>(values[i]);
        const auto half = static_cast<uint16_t>(bits >> 16);
        if (dtype == DType::f32) {
          reinterpret_cast<uint32_t*>(stored)[i] = bits;
        } else {
          reinterpret_cast<uint16_t*>(stored)[i] = half;
        }
      }
      std::vector<float> factors(rows);
      for (float& factor : factors) factor = uniform(random);
      std::vector<float> expected(kBlockKeys);
      for (float& value : expected) value = uniform(random) * 0.5F;
      std::vector<float> best = expected;
      raise_scores(stored, dtype, factors.data(), rows, best.data());
      for (size_t row = 0; row < rows; ++row) {
        for (size_t c = 0; c < kBlockKeys; ++c) {
          expected[c] = std::max(expected[c], values[row * kBlockKeys + c] * factors[row]);
        }
      }
      EXPECT_EQ(best, expected);
    }
  }
}

}  // namespace
}  // namespace kvzip::attention
