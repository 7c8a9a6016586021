// The share of a chunk against sorted scores of all that was read, on random scores of several scales.
#include "kvzip/stages/chunk_share.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>

namespace kvzip {
namespace {

/// Log-normal around `middle`.
Scores some_scores(size_t len, float middle, uint32_t seed) {
  Scores scores(3, 2, len);
  std::mt19937 random(seed);
  std::normal_distribution<float> logs(std::log(middle), 1.5F);
  for (float& score : scores.values) score = std::exp(logs(random));
  return scores;
}

/// As its description says, by the very scores.
class PlainShare {
 public:
  explicit PlainShare(double ratio) : ratio_(ratio) {}

  double of(const Scores& chunk, size_t held) {
    all_.insert(all_.end(), chunk.values.begin(), chunk.values.end());
    std::ranges::sort(all_, std::greater());
    const auto read = static_cast<double>(all_.size());
    const double best = ratio_ + (ratio_ < 0.5 ? (0.5 - ratio_) / ++chunks_ : 0);
    const float threshold = all_[std::min(all_.size() - 1, static_cast<size_t>(read * best))];
    const auto above = std::ranges::count_if(chunk.values, [&](float score) { return score > threshold; });
    const double needed = std::max(static_cast<double>(above), read * ratio_ - static_cast<double>(held));
    return std::min(1.0, needed / static_cast<double>(chunk.values.size()));
  }

 private:
  double ratio_;
  int chunks_ = 0;
  std::vector<float> all_;
};

TEST(ChunkShare, IsOfTheBestOfAllThatWasRead) {
  for (const double ratio : {0.05, 0.3, 0.5, 0.8}) {
    ChunkShare share(ratio);
    PlainShare plain(ratio);
    size_t held = 0;
    uint32_t seed = 1;
    for (const float middle : {0.1F, 0.3F, 0.02F, 0.02F, 0.0001F, 0.5F, 0.1F}) {
      const Scores chunk = some_scores(301, middle, seed++);
      const double found = share.of(chunk, held);
      EXPECT_NEAR(found, plain.of(chunk, held), 0.01) << ratio << ' ' << middle;
      held += static_cast<size_t>(found * static_cast<double>(chunk.values.size()));
    }
  }
}

TEST(ChunkShare, FillsTheBudgetOfWhatWasRead) {
  ChunkShare share(0.3);
  const double first = share.of(some_scores(200, 0.5F, 1), 0);
  EXPECT_NEAR(first, 0.5, 0.01);
  // Nothing of the second is among the best, but less was held than may be.
  EXPECT_NEAR(share.of(some_scores(200, 1e-9F, 2), 60), 0.3 * 2 - 60.0 / (6 * 200), 1e-9);
  EXPECT_GT(share.of(some_scores(200, 1e-9F, 3), 6 * 600), 0);
}

TEST(ChunkShare, EqualScoresAreSharedOut) {
  ChunkShare share(0.25);
  Scores zeros(1, 1, 8);
  EXPECT_EQ(share.of(zeros, 0), 0.5);
  zeros.values[3] = -0.0F;
  EXPECT_EQ(share.of(zeros, 4), 0.375);  // a quarter, and half of the quarter that the first one had more
  EXPECT_EQ(ChunkShare(1).of(zeros, 0), 1);
}

}  // namespace
}  // namespace kvzip
