#include "kvzip/model/rope.h"

#include <gtest/gtest.h>

#include <cmath>

namespace kvzip {
namespace {

TEST(Rope, PlainFrequenciesFallGeometrically) {
  const Rope rope = make_rope({.base = 10000, .dims = 8});
  ASSERT_EQ(rope.frequencies.size(), 4U);
  const std::vector<float> expected = {1.0F, 0.1F, 0.01F, 0.001F};
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(rope.frequencies[i], expected[i], 1e-7);
  EXPECT_EQ(rope.magnitude, 1.0F);
}

TEST(Rope, LinearScalingSlowsEveryPair) {
  const Rope rope = make_rope({.base = 10000, .dims = 4, .scaling = RopeScaling::linear, .factor = 8});
  EXPECT_FLOAT_EQ(rope.frequencies[0], 1.0F / 8);
  EXPECT_FLOAT_EQ(rope.frequencies[1], 0.01F / 8);
}

TEST(Rope, YarnKeepsFastPairsAndInterpolatesSlowOnes) {
  const RopeConfig config{
      .base = 1e6, .dims = 128, .scaling = RopeScaling::yarn, .factor = 4, .original_context = 32768};
  const Rope rope = make_rope(config);
  const Rope plain = make_rope({.base = 1e6, .dims = 128});
  EXPECT_EQ(rope.frequencies.front(), plain.frequencies.front());
  EXPECT_FLOAT_EQ(rope.frequencies.back(), plain.frequencies.back() / 4);
  for (size_t i = 1; i < 64; ++i) {
    const double divisor = plain.frequencies[i] / rope.frequencies[i];
    EXPECT_GE(divisor, plain.frequencies[i - 1] / rope.frequencies[i - 1] - 1e-5);
    EXPECT_LE(divisor, 4.00001);
  }
  EXPECT_NEAR(rope.magnitude, 0.1 * std::log(4.0) + 1, 1e-6);
}

TEST(Rope, DivisorsApplyPerPair) {
  const Rope rope = make_rope({.base = 10000, .dims = 4, .frequency_divisors = {1, 8}});
  EXPECT_FLOAT_EQ(rope.frequencies[0], 1);
  EXPECT_FLOAT_EQ(rope.frequencies[1], 0.01F / 8);
}

TEST(Rope, TablesHoldCosinesThenSinesOfEachPosition) {
  const Rope rope = make_rope({.base = 100, .dims = 6});
  std::vector<float> table(3 * 6);
  fill_cos_sin(rope, 40, 3, table.data());
  for (size_t row = 0; row < 3; ++row) {
    for (size_t pair = 0; pair < 3; ++pair) {
      const double angle = static_cast<double>(40 + row) * std::pow(100.0, -static_cast<double>(pair) / 3);
      EXPECT_NEAR(table[row * 6 + pair], std::cos(angle), 1e-5);
      EXPECT_NEAR(table[row * 6 + 3 + pair], std::sin(angle), 1e-5);
    }
  }
}

}  // namespace
}  // namespace kvzip
