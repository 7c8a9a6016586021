#include "kvzip/text/pipeline/score_as_read.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace kvzip {
namespace {

TEST(ScoreAsRead, RoundsTheDigitsAndThenTheQuotient) {
  // As the package reads them; by hand: 12345678901234567 is no double, the nearest is 12345678901234568.
  EXPECT_EQ(score_as_read(-12.345678901234567), -(12345678901234568.0 / 1e15));
  EXPECT_EQ(score_as_read(1.5), 1.5);
  EXPECT_EQ(score_as_read(-7), -7);
  EXPECT_EQ(score_as_read(0.0), 0.0);
  EXPECT_EQ(score_as_read(300), 300);
  EXPECT_EQ(score_as_read(1e300), 1e300);
  EXPECT_EQ(score_as_read(2.5e-7), 25 / 1e8);
  EXPECT_NEAR(score_as_read(5e-324), 0, 1e-300);
  std::mt19937 random(61);
  size_t others = 0;
  for (int i = 0; i < 10'000; ++i) {
    const double score = -static_cast<double>(static_cast<float>(random()) / 3e8F);  // as wide as SentencePiece's
    const double read = score_as_read(score);
    EXPECT_NEAR(read / score, 1, 1e-15);
    others += read != score ? 1 : 0;
  }
  EXPECT_GT(others, 100U);
  EXPECT_LT(others, 5'000U);
}

}  // namespace
}  // namespace kvzip
