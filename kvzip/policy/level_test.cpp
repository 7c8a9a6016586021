#include "kvzip/policy/level.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
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

TEST(Level, TheBestScoresAreEnough) {
  std::mt19937 random(11);
  std::uniform_int_distribution<int> steps(-40, 60);  // many ties; what is below 0 isn't among the best
  for (int round = 0; round < 20; ++round) {
    Scores scores(3, 2, 41);
    for (float& value : scores.values) value = static_cast<float>(steps(random)) / 64;
    std::vector<std::vector<float>> best(6);
    BestScores views{3, 2, 41};
    for (size_t i = 0; i < best.size(); ++i) {
      std::ranges::copy_if(scores.row(i / 2, i % 2), std::back_inserter(best[i]),
                           [](float score) { return score >= 0; });
      views.heads.emplace_back(best[i]);
    }
    for (const Level level : {Level::pair, Level::pair_uniform, Level::per_layer, Level::pyramid}) {
      for (const double ratio : {0.05, 0.3, 0.5, 0.8, 1.0}) {
        const Keep all = select(scores, level, ratio).keep;
        const Keep found = select(views, level, ratio).keep;
        for (size_t i = 0; i < best.size(); ++i) {
          const size_t held = best[i].size();
          EXPECT_EQ(std::min<size_t>(found.rows[i], held), std::min<size_t>(all.rows[i], held))
              << level_name(level) << " at " << ratio;
        }
      }
    }
    EXPECT_EQ(select(views, Level::pair, 0.3).threshold, select(scores, Level::pair, 0.3).threshold);
  }
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

/// Uneven heads, values with ties.
Scores uneven_scores(size_t layers, size_t heads, size_t len) {
  std::mt19937 random(11);
  Scores scores(layers, heads, len);
  for (size_t i = 0; i < scores.values.size(); ++i) {
    scores.values[i] = static_cast<float>(random() % 50) * static_cast<float>(1 + 3 * (i / len % heads));
  }
  return scores;
}

// By taking rows one by one: the floor of every head, then the best of the layer that is left.
TEST(Level, PerLayerSharesALayersBudgetAmongItsHeads) {
  const Scores scores = uneven_scores(4, 3, 41);
  for (const double ratio : {0.9, 0.5, 0.3, 0.1, 0.02}) {
    const Selection selection = select(scores, Level::per_layer, ratio);
    const auto rows = static_cast<size_t>(41 * ratio), sure = static_cast<size_t>(static_cast<double>(rows) * 0.2);
    for (size_t layer = 0; layer < 4; ++layer) {
      std::vector<std::vector<float>> left;
      for (size_t head = 0; head < 3; ++head) {
        const auto row = scores.row(layer, head);
        left.emplace_back(row.begin(), row.end());
        std::sort(left.back().begin(), left.back().end());
        left.back().resize(41 - sure);
      }
      std::vector<uint32_t> expected(3, static_cast<uint32_t>(sure));
      for (size_t taken = 3 * sure; taken < 3 * rows; ++taken) {
        size_t best = 3;
        for (size_t head = 0; head < 3; ++head) {
          if (!left[head].empty() && (best == 3 || left[head].back() > left[best].back())) best = head;
        }
        left[best].pop_back();
        ++expected[best];
      }
      for (size_t head = 0; head < 3; ++head) EXPECT_EQ(selection.keep.at(layer, head), expected[head]) << ratio;
    }
    EXPECT_EQ(selection.keep.pairs(), 4 * 3 * rows);
  }
}

TEST(Level, PyramidKeepsLessTheLaterTheLayer) {
  const Scores scores = uneven_scores(5, 2, 1000);
  const auto rows_of = [&](double ratio) {
    const Keep keep = select(scores, Level::pyramid, ratio).keep;
    std::vector<uint32_t> rows;
    for (size_t layer = 0; layer < 5; ++layer) {
      EXPECT_EQ(keep.at(layer, 0), keep.at(layer, 1));
      rows.push_back(keep.at(layer, 0));
    }
    return rows;
  };
  EXPECT_EQ(rows_of(0.2), (std::vector<uint32_t>{390, 295, 200, 105, 10}));    // 2 m - m / 20 down to m / 20
  EXPECT_EQ(rows_of(0.8), (std::vector<uint32_t>{1000, 900, 800, 700, 600}));  // no more than there are
  EXPECT_EQ(rows_of(1.0), (std::vector<uint32_t>(5, 1000)));
  const Scores one(1, 2, 1000);
  EXPECT_EQ(select(one, Level::pyramid, 0.25).keep.at(0, 1), 250U);
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
  for (const char* name : {"pair", "pair-uniform", "head", "per-layer", "pyramid"}) {
    EXPECT_EQ(level_name(level_by_name(name)), name);
  }
  EXPECT_EQ(levels().size(), 5U);
  EXPECT_THROW(level_by_name("pairs"), Error);
}

}  // namespace
}  // namespace kvzip
