#include "kvzip/view/keep_steps.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "kvzip/policy/level.h"

namespace kvzip {
namespace {

/// Scores of which about a tenth are ties and some are 0, over many powers of ten.
Scores random_scores(size_t layers, size_t heads, size_t len, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> exponent(-6, 0);
  Scores scores(layers, heads, len);
  for (float& value : scores.values) {
    value = std::pow(10.0F, exponent(random));
    const unsigned kind = random() % 20;
    if (kind < 2) value = 0.001F * static_cast<float>(1 + random() % 3);
    if (kind == 2) value = 0;
  }
  return scores;
}

TEST(KeepSteps, KeepAtEveryRatioExactlyWhatSelectKeeps) {
  size_t compared = 0;
  for (const size_t len : {1U, 2U, 7U, 131U}) {
    for (const Scores& scores : {random_scores(1, 1, len, 1), random_scores(5, 3, len, 2)}) {
      const KeepSteps steps = keep_steps(scores, slider_ratios(0.2137, 1));
      for (size_t step = 0; step < steps.ratios.size(); ++step) {
        const Selection selection = select(scores, Level::pair, steps.ratios[step]);
        EXPECT_EQ(steps.thresholds[step], selection.threshold);
        for (size_t row = 0; row < selection.keep.rows.size(); ++row) {
          const auto first = steps.first_kept.begin() + static_cast<std::ptrdiff_t>(row * len);
          const auto kept =
              std::count_if(first, first + static_cast<std::ptrdiff_t>(len), [&](uint8_t at) { return at <= step; });
          ASSERT_EQ(kept, selection.keep.rows[row]) << "ratio " << steps.ratios[step] << ", row " << row;
          ++compared;
        }
      }
    }
  }
  EXPECT_EQ(compared, 4 * 200 * (1 + 15U));
}

TEST(KeepSteps, KeepTheVeryPairsAboveTheThreshold) {
  const Scores scores = random_scores(4, 2, 97, 3);
  const KeepSteps steps = keep_steps(scores, slider_ratios(0.3, 1));
  for (size_t step = 0; step + 1 < steps.ratios.size(); ++step) {
    for (size_t i = 0; i < scores.values.size(); ++i)
      ASSERT_EQ(steps.first_kept[i] <= step, scores.values[i] > steps.thresholds[step]);
  }
}

TEST(KeepSteps, OfAPartAreThoseOfTheWholeUpToIt) {
  const Scores whole = random_scores(3, 2, 89, 4);
  const double most = 0.52;
  // What a file keeps that was cut to `most`: other pairs score 0.
  Scores part = whole;
  const float threshold = select(whole, Level::pair, most).threshold;
  for (float& score : part.values) score = score > threshold ? score : 0;
  const KeepSteps of_whole = keep_steps(whole, slider_ratios(0.3, 1));
  const KeepSteps of_part = keep_steps(part, slider_ratios(0.3, most));
  const size_t steps = of_part.ratios.size();
  EXPECT_EQ(of_part.ratios.back(), most);
  EXPECT_EQ(steps, 103U);
  for (size_t i = 0; i < whole.values.size(); ++i)
    EXPECT_EQ(of_part.first_kept[i], std::min<size_t>(of_whole.first_kept[i], steps)) << i;
}

TEST(KeepSteps, WithoutAnyPairThereIsNothingToKeep) {
  const KeepSteps steps = keep_steps(Scores(2, 3, 0), {0.5, 1});
  EXPECT_EQ(steps.first_kept.size(), 0U);
  EXPECT_EQ(steps.thresholds, (std::vector<float>{0, 0}));
}

TEST(SliderRatios, AreTheNumbersThatPeopleTypeAndTheirOwn) {
  const std::vector<double> ratios = slider_ratios(1, 1);
  EXPECT_EQ(ratios.size(), 199U);
  for (const double typed : {0.01, 0.015, 0.1, 0.3, 0.305, 0.7, 0.9, 0.995, 1.0})
    EXPECT_TRUE(std::count(ratios.begin(), ratios.end(), typed)) << typed;
  EXPECT_EQ(slider_ratios(0.3, 1), ratios);
  for (const double own : {1e-9, 0.3001, 0.9999}) {
    const std::vector<double> with_own = slider_ratios(own, 1);
    EXPECT_EQ(with_own.size(), 200U);
    EXPECT_TRUE(std::is_sorted(with_own.begin(), with_own.end()));
    EXPECT_TRUE(std::count(with_own.begin(), with_own.end(), own));
    EXPECT_EQ(with_own.back(), 1);
  }
  EXPECT_EQ(slider_ratios(0.02, 0.025), (std::vector<double>{0.01, 0.015, 0.02, 0.025}));
  EXPECT_EQ(slider_ratios(0.011, 0.0222), (std::vector<double>{0.01, 0.011, 0.015, 0.02, 0.0222}));
  EXPECT_EQ(slider_ratios(0.001, 0.001), (std::vector<double>{0.001}));
}

}  // namespace
}  // namespace kvzip
