#include "kvzip/policy/level.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "kvzip/base/error.h"

namespace kvzip {
namespace {

using nlohmann::json;

Scores scores_from(const json& rows) {
  Scores scores(rows.size(), rows.at(0).size(), rows.at(0).at(0).size());
  for (size_t layer = 0; layer < scores.layers; ++layer) {
    for (size_t head = 0; head < scores.kv_heads; ++head) {
      const auto values = rows[layer][head].get<std::vector<float>>();
      std::copy(values.begin(), values.end(), scores.row(layer, head).begin());
    }
  }
  return scores;
}

TEST(Level, MatchesTheOriginalOnScoresWithTies) {
  std::ifstream file(KVZIP_SOURCE_DIR "/tests/golden/metrics/thresholds.json");
  const json cases = json::parse(file);
  size_t compared = 0;
  for (const json& one : cases) {
    const Level level = level_by_name(one["level"].get<std::string>());
    const double ratio = one["ratio"];
    const Scores scores = scores_from(one["score"]);
    const Selection selection = select(scores, level, ratio);
    EXPECT_EQ(selection.keep.pairs(), one["kept"].get<size_t>()) << one["level"] << " at " << ratio;
    if (level == Level::pair) {
      EXPECT_FLOAT_EQ(selection.threshold, one["threshold"].get<float>());
      for (size_t row = 0; row < selection.keep.rows.size(); ++row) {
        const json& valid = one["valid"][row / scores.kv_heads][row % scores.kv_heads];
        const auto kept = std::count_if(valid.begin(), valid.end(), [](const json& v) { return v == true || v == 1; });
        EXPECT_EQ(selection.keep.rows[row], static_cast<uint32_t>(kept));
      }
    }
    ++compared;
  }
  EXPECT_EQ(compared, 60U);
}

TEST(Level, HeadKeepsOrDropsWholeHeadsByTheRuleForPairs) {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> uniform(0, 1);
  for (const double ratio : {0.9, 0.55, 0.3, 0.05}) {
    Scores scores(3, 4, 17);
    for (float& value : scores.values) value = uniform(random);
    const HeadScores heads = head_scores(scores);
    Scores spread = scores;  // every position of a head carries the head's score
    for (size_t row = 0; row < heads.values.size(); ++row) {
      std::fill_n(spread.values.begin() + static_cast<std::ptrdiff_t>(row * scores.len), scores.len, heads.values[row]);
    }
    const Selection selection = select(scores, Level::head, ratio);
    const Selection reference = select(spread, Level::pair, ratio);
    EXPECT_EQ(selection.keep.rows, reference.keep.rows) << ratio;
    EXPECT_EQ(selection.threshold, reference.threshold);
  }
}

TEST(Level, MergedHeadScoresAreTheMaximum) {
  HeadScores scores{1, 3, {0.1F, 0.9F, 0.5F}};
  merge_head_scores(scores, {1, 3, {0.2F, 0.3F, 0.5F}});
  EXPECT_EQ(scores.values, (std::vector<float>{0.2F, 0.9F, 0.5F}));
  EXPECT_THROW(merge_head_scores(scores, {2, 3, std::vector<float>(6)}), Error);
}

TEST(Level, RefusesRatiosThatKeepNothingOrAreNoNumber) {
  const Scores scores(1, 1, 4);
  for (const double ratio : {0.0, -0.3, std::nan("")}) EXPECT_THROW(select(scores, Level::pair, ratio), Error);
}

TEST(Level, RefusesHeadScoresOfAnotherModel) {
  EXPECT_THROW(select(Scores(2, 2, 4), Level::head, 0.5, {3, 2, std::vector<float>(6)}), Error);
}

TEST(Level, KnowsItsNames) {
  for (const char* name : {"pair", "pair-uniform", "head"}) EXPECT_EQ(level_name(level_by_name(name)), name);
  EXPECT_THROW(level_by_name("pairs"), Error);
}

}  // namespace
}  // namespace kvzip
