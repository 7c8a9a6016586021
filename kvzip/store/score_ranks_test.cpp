#include "kvzip/store/score_ranks.h"

#include <gtest/gtest.h>

#include "kvzip/base/error.h"
#include "kvzip/store/context_file_test_data.h"

namespace kvzip {
namespace {

const CacheShape kShape{.kv_heads = 3, .head_dim = 8, .windows = {0, 0, 0}, .dtype = DType::f16};

/// By the definition, pair by pair: the restored scores are ordered as the original ones.
void expect_same_order(const Scores& restored, const Scores& original, const Context& context) {
  std::vector<std::pair<float, float>> pairs;
  for (size_t head = 0; head < context.held().rows.size(); ++head) {
    for (const uint32_t at : context.order(head / 3, head % 3))
      pairs.emplace_back(original.row(head / 3, head % 3)[at], restored.row(head / 3, head % 3)[at]);
  }
  for (const auto& a : pairs) {
    for (const auto& b : pairs) ASSERT_EQ(a.first < b.first, a.second < b.second) << a.first << " " << b.first;
  }
}

TEST(ScoreRanks, RestoredScoresAreOrderedAsTheOriginalOnes) {
  MadeUpDocument document(3, kShape, 4, 211);
  for (const double ratio : {1.0, 0.6, 0.05}) {
    const Context context = document.context(Level::pair, ratio);
    const Scores restored = restore_scores(rank_scores(context), context.held(), "f");
    expect_same_order(restored, document.scores(), context);
    for (size_t i = 0; i < restored.values.size(); ++i) {
      if (restored.values[i] > 0) {
        ASSERT_NEAR(restored.values[i], document.scores().values[i], 0.3);  // few samples for so few rows
      }
    }
  }
}

TEST(ScoreRanks, SamplesAreRestoredToTheBit) {
  MadeUpDocument document(4, kShape, 4, 300);
  const Context context = document.context(Level::pair, 1);
  const RankedScores ranked = rank_scores(context);
  ASSERT_EQ(ranked.samples.size(), 4U);  // of 2,700 rows: 0, 1,024, 2,048 and 2,699
  auto sorted = document.scores().values;
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  auto restored = restore_scores(ranked, context.held(), "f").values;
  std::sort(restored.begin(), restored.end(), std::greater<>());
  for (const size_t at : {0U, 1024U, 2048U, 2699U}) EXPECT_EQ(restored[at], sorted[at]);
}

TEST(ScoreRanks, EveryRatioSelectsTheSameRows) {
  for (uint32_t seed = 0; seed < 20; ++seed) {
    MadeUpDocument document(seed, kShape, 4, 1 + seed * 13);
    const Context context = document.context(Level::pair, 1);
    const Scores restored = restore_scores(rank_scores(context), context.held(), "f");
    for (const Level level : {Level::pair, Level::pair_uniform, Level::head}) {
      for (int percent = 1; percent <= 100; ++percent) {
        const double ratio = percent / 100.0;
        ASSERT_EQ(select(restored, level, ratio).keep.rows, select(document.scores(), level, ratio).keep.rows)
            << level_name(level) << " " << ratio << " seed " << seed;
      }
    }
  }
}

TEST(ScoreRanks, ContradictionsAreErrors) {
  MadeUpDocument document(5, kShape, 4, 300);
  const Context context = document.context(Level::pair, 1);
  const RankedScores ranked = rank_scores(context);
  const auto refused = [&](size_t sample, float value) {
    RankedScores changed = ranked;
    changed.samples[sample] = value;
    EXPECT_THROW(restore_scores(changed, context.held(), "f"), Error) << value;
  };
  refused(0, -1);
  refused(1, std::numeric_limits<float>::quiet_NaN());
  refused(0, std::numeric_limits<float>::infinity());
  refused(1, ranked.samples[2]);
  refused(2, 1e9F);
}

}  // namespace
}  // namespace kvzip
