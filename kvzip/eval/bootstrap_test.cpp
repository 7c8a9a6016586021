#include "kvzip/eval/bootstrap.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace kvzip {
namespace {

TEST(Bootstrap, TheIntervalIsThatOfTheNormalApproximation) {
  std::mt19937_64 random(5);
  std::vector<double> values;
  for (int i = 0; i < 201; ++i) values.push_back(static_cast<double>(random() % 1000) / 1000);
  double mean = 0;
  for (const double value : values) mean += value / 201;
  double variance = 0;
  for (const double value : values) variance += (value - mean) * (value - mean) / 201;
  const Estimate estimate = bootstrap_mean(values);
  EXPECT_NEAR(estimate.value, mean, 1e-12);
  // 1.96 standard errors each way; the ends of 2,000 resamples scatter by some percent.
  EXPECT_NEAR(estimate.high - estimate.low, 2 * 1.96 * std::sqrt(variance / 201), 0.15 * 4 * std::sqrt(variance / 201));
  EXPECT_LT(estimate.low, mean);
  EXPECT_GT(estimate.high, mean);
}

TEST(Bootstrap, TheSeedDecides) {
  const std::vector<double> values = {0, 1, 1, 0, 0.3, 0.9, 0.2};
  const Estimate first = bootstrap_mean(values, {.seed = 3});
  const Estimate again = bootstrap_mean(values, {.seed = 3});
  const Estimate other = bootstrap_mean(values, {.resamples = 50, .seed = 4});
  EXPECT_EQ(first.low, again.low);
  EXPECT_EQ(first.high, again.high);
  EXPECT_EQ(first.value, other.value);
  EXPECT_NE(first.low, other.low);
}

TEST(Bootstrap, ARatioDrawsItsPairsTogether) {
  const std::vector<double> reference = {0.2, 0.9, 0.4, 1, 0.1};
  std::vector<double> half;
  for (const double value : reference) half.push_back(value / 2);
  const Estimate ratio = bootstrap_ratio(half, reference);
  EXPECT_NEAR(ratio.value, 0.5, 1e-12);
  EXPECT_NEAR(ratio.low, 0.5, 1e-12) << "every document lost half, so nothing is uncertain";
  EXPECT_NEAR(ratio.high, 0.5, 1e-12);
}

TEST(Bootstrap, FewValuesAndNone) {
  EXPECT_EQ(bootstrap_mean({}).value, 0);
  const std::vector<double> one = {0.7};
  EXPECT_DOUBLE_EQ(bootstrap_mean(one).low, 0.7);
  EXPECT_DOUBLE_EQ(bootstrap_mean(one).high, 0.7);
  const std::vector<double> none = {0};
  EXPECT_EQ(bootstrap_ratio(one, none).value, 0);
}

}  // namespace
}  // namespace kvzip
