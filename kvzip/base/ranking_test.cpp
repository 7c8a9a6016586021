#include "kvzip/base/ranking.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

namespace kvzip {
namespace {

/// Values of all magnitudes and signs, many of them several times.
std::vector<float> random_values(size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<float> values(count);
  for (float& value : values) {
    const auto exponent = static_cast<int>(random() % 60) - 40;
    value = std::ldexp(static_cast<float>(static_cast<int>(random() % 41) - 20), exponent);
  }
  if (count > 5) {
    values[1] = std::numeric_limits<float>::infinity();
    values[2] = -std::numeric_limits<float>::infinity();
    values[3] = 0.0F;
    values[4] = -0.0F;
    values[5] = std::numeric_limits<float>::denorm_min();
  }
  return values;
}

std::vector<uint32_t> sorted_places(const std::vector<float>& values) {
  std::vector<uint32_t> places(values.size());
  std::iota(places.begin(), places.end(), 0U);
  std::stable_sort(places.begin(), places.end(), [&](uint32_t a, uint32_t b) { return values[a] > values[b]; });
  return places;
}

TEST(RankingTest, PlacesAreThoseOfAStableSort) {
  for (const size_t count : {0, 1, 2, 7, 300, 5000, 20000}) {
    const std::vector<float> values = random_values(count, 3);
    const std::vector<uint32_t> expected = sorted_places(values);
    EXPECT_EQ(largest_first(values, count), expected) << count;
    const size_t some = count * 3 / 10;
    EXPECT_EQ(largest_first(values, some), std::vector<uint32_t>(expected.begin(), expected.begin() + some)) << count;
    for (const size_t most : {size_t{0}, some, count / 2, count - std::min<size_t>(count, 1), count}) {
      std::vector<uint32_t> in_order(expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(most));
      std::ranges::sort(in_order);
      EXPECT_EQ(largest_in_order(values, most), in_order) << most << " of " << count;
    }
  }
}

TEST(RankingTest, TheNthLargestIsWhereSortingPutsIt) {
  for (const size_t count : {1, 2, 9, 1000, 200000, 1500000}) {
    const std::vector<float> values = random_values(count, 8);
    std::vector<float> sorted = values;
    std::sort(sorted.begin(), sorted.end(), std::greater<>());
    for (const size_t n : {size_t{0}, count / 3, count / 2, count - 1}) {
      EXPECT_EQ(nth_largest(values, n), sorted[n]) << n << " of " << count;
      const std::span<const float> all = values;
      const std::array parts{all.first(count / 7), all.first(0), all.subspan(count / 7)};
      EXPECT_EQ(nth_largest(parts, n), sorted[n]) << n << " of " << count;
    }
  }
}

TEST(RankingTest, PlacesAboveAThresholdAreThoseOfTheLargest) {
  for (const size_t count : {0, 1, 7, 5000}) {
    const std::vector<float> values = random_values(count, 5);
    for (const float threshold : {-1e30F, -0.5F, 0.0F, 3.0F, 1e30F}) {
      const auto above = static_cast<size_t>(std::ranges::count_if(values, [=](float v) { return v > threshold; }));
      EXPECT_EQ(places_above(values, threshold, above), largest_in_order(values, above)) << threshold;
    }
  }
}

TEST(RankingTest, EqualValuesKeepTheirOrder) {
  const std::vector<float> values(1000, 0.25F);
  std::vector<uint32_t> expected(1000);
  std::iota(expected.begin(), expected.end(), 0U);
  EXPECT_EQ(largest_first(values, 1000), expected);
  EXPECT_EQ(nth_largest(values, 999), 0.25F);
  for (const size_t count : {1000, 30000}) {
    const std::vector<float> equal(count, -3.0F);
    const std::vector<uint32_t> first = largest_in_order(equal, 777);
    EXPECT_TRUE(std::equal(first.begin(), first.end(), expected.begin(), expected.begin() + 777));
  }
}

}  // namespace
}  // namespace kvzip
