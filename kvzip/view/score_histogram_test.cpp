#include "kvzip/view/score_histogram.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

namespace kvzip {
namespace {

TEST(ScoreHistogram, CountsEveryScoreOfAHeadOnce) {
  Scores scores(2, 3, 41);
  for (size_t i = 0; i < scores.values.size(); ++i)
    scores.values[i] = std::pow(10.0F, -0.0703F * static_cast<float>(i % 101));
  const ScoreHistogram histogram = score_histogram(scores);
  ASSERT_EQ(histogram.counts.size(), 6U * ScoreHistogram::kBins);
  for (size_t head = 0; head < 6; ++head) {
    const auto first = histogram.counts.begin() + static_cast<std::ptrdiff_t>(head * ScoreHistogram::kBins);
    EXPECT_EQ(std::accumulate(first, first + ScoreHistogram::kBins, 0U), 41U);
    // Bin by bin, by comparing with its borders.
    for (int bin = 1; bin + 1 < ScoreHistogram::kBins; ++bin) {
      const double low = std::pow(10.0, ScoreHistogram::kLowestDecade + bin / 8.0);
      const double high = std::pow(10.0, ScoreHistogram::kLowestDecade + (bin + 1) / 8.0);
      uint32_t inside = 0;
      for (const float score : scores.row(head / 3, head % 3)) inside += score >= low && score < high ? 1 : 0;
      EXPECT_EQ(first[bin], inside) << "head " << head << ", bin " << bin;
    }
  }
}

TEST(ScoreHistogram, PutsWhatIsBeyondItIntoTheBinsAtItsEnds) {
  Scores scores(1, 1, 5);
  scores.values = {0, 1e-30F, 0.5e-7F, 1, 2};
  const ScoreHistogram histogram = score_histogram(scores);
  EXPECT_EQ(histogram.counts.front(), 2U);
  EXPECT_EQ(histogram.counts.back(), 2U);
}

}  // namespace
}  // namespace kvzip
