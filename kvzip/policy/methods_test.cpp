// Each rule against its restatement in plain loops, on random tensors of odd sizes.
#include "kvzip/policy/methods.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <set>
#include <vector>

#include "kvzip/base/error.h"

namespace kvzip {
namespace {

constexpr size_t kKvHeads = 3;
constexpr size_t kGroup = 2;
constexpr size_t kHeads = kKvHeads * kGroup;
constexpr size_t kDim = 10;
constexpr size_t kRows = 151;

using Matrix = std::vector<std::vector<double>>;

class MethodsTest : public testing::Test {
 protected:
  MethodsTest() : keys_(kKvHeads * kRows * kDim), values_(keys_.size()), queries_(kRows * kHeads * kDim) {
    std::mt19937 random(5);
    std::normal_distribution<float> normal;
    for (auto* tensor : {&keys_, &values_, &queries_}) {
      for (float& value : *tensor) value = 1.5F * normal(random);
    }
    config_.heads = kHeads;
    config_.kv_heads = kKvHeads;
    config_.head_dim = kDim;
    config_.attention_scale = 0.4F;
    config_.rope.dims = kDim;
  }

  LayerRows rows() const { return {kKvHeads, kRows, kDim, keys_, values_}; }
  ScorerSetup setup(uint64_t seed = 0) const { return {2, kKvHeads, kRows, &config_, seed}; }

  /// Shows the scorer the queries that it asks for, in batches of 40, as those of layer 1.
  std::vector<float> run(std::string_view name, uint64_t seed = 0) {
    const auto scorer = method_by_name(name).make(setup(seed));
    for (size_t first = kRows - std::min(kRows, scorer->queries()); first < kRows; first += 40) {
      const size_t count = std::min<size_t>(40, kRows - first);
      const auto part = std::span(queries_).subspan(first * kHeads * kDim, count * kHeads * kDim);
      scorer->observe(1, {first, count, kHeads, kDim, part}, rows());
    }
    std::vector<float> scores(kKvHeads * kRows);
    scorer->score(1, rows(), scores);
    return scores;
  }

  double key(size_t head, size_t row, size_t d) const { return keys_[(head * kRows + row) * kDim + d]; }
  double value(size_t head, size_t row, size_t d) const { return values_[(head * kRows + row) * kDim + d]; }
  double query(size_t row, size_t head, size_t d) const { return queries_[(row * kHeads + head) * kDim + d]; }

  /// What the query of `row` in a query head pays to each row that it sees.
  std::vector<double> attention(size_t head, size_t row) const {
    std::vector<double> shares(row + 1);
    double sum = 0;
    for (size_t seen = 0; seen <= row; ++seen) {
      double logit = 0;
      for (size_t d = 0; d < kDim; ++d) logit += query(row, head, d) * key(head / kGroup, seen, d);
      sum += shares[seen] = std::exp(0.4 * logit);
    }
    for (double& share : shares) share /= sum;
    return shares;
  }

  static void expect_near(const std::vector<float>& scores, const Matrix& expected, double relative = 1e-4) {
    for (size_t head = 0; head < kKvHeads; ++head) {
      for (size_t row = 0; row < kRows; ++row) {
        const double wanted = expected[head][row];
        ASSERT_NEAR(scores[head * kRows + row], wanted, relative * std::abs(wanted) + 1e-6) << head << ' ' << row;
      }
    }
  }

  static double largest(const Matrix& values) {
    double most = -INFINITY;
    for (const auto& row : values) most = std::max(most, *std::max_element(row.begin(), row.end()));
    return most;
  }

  ModelConfig config_;
  std::vector<float> keys_, values_, queries_;
};

TEST_F(MethodsTest, StreamingLlmKeepsSinksAndTheLatestRows) {
  const std::vector<float> scores = run("streaming-llm");
  for (size_t head = 0; head < kKvHeads; ++head) {
    std::vector<size_t> order(kRows);
    for (size_t i = 0; i < kRows; ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return scores[head * kRows + a] > scores[head * kRows + b]; });
    const std::set<size_t> best(order.begin(), order.begin() + 11);
    EXPECT_EQ(best, (std::set<size_t>{0, 1, 2, 3, 144, 145, 146, 147, 148, 149, 150}));
  }
}

TEST_F(MethodsTest, RandomRepeatsWithItsSeedAndIsEven) {
  const std::vector<float> scores = run("random", 7);
  EXPECT_EQ(scores, run("random", 7));
  EXPECT_NE(scores, run("random", 8));
  double sum = 0;
  for (const float score : scores) {
    EXPECT_GE(score, 0);
    EXPECT_LT(score, 1);
    sum += score;
  }
  EXPECT_NEAR(sum / static_cast<double>(scores.size()), 0.5, 0.06);  // 4 standard deviations
  std::vector<float> other(scores.size());
  method_by_name("random").make(setup(7))->score(0, rows(), other);
  EXPECT_NE(scores, other);  // another layer
}

TEST_F(MethodsTest, KnormFallsWithTheNorm) {
  Matrix expected(kKvHeads, std::vector<double>(kRows));
  for (size_t head = 0; head < kKvHeads; ++head) {
    for (size_t row = 0; row < kRows; ++row) {
      double squares = 0;
      for (size_t d = 0; d < kDim; ++d) squares += key(head, row, d) * key(head, row, d);
      expected[head][row] = 1 / (1 + std::sqrt(squares));
    }
  }
  expect_near(run("knorm"), expected);
}

TEST_F(MethodsTest, KeyDiffIsTheDistanceFromTheMeanDirection) {
  Matrix expected(kKvHeads, std::vector<double>(kRows));
  for (size_t head = 0; head < kKvHeads; ++head) {
    const auto length = [&](size_t row) {
      double squares = 0;
      for (size_t d = 0; d < kDim; ++d) squares += key(head, row, d) * key(head, row, d);
      return std::sqrt(squares);
    };
    std::vector<double> anchor(kDim);
    for (size_t row = 0; row < kRows; ++row) {
      for (size_t d = 0; d < kDim; ++d) anchor[d] += key(head, row, d) / length(row) / kRows;
    }
    double squares = 0;
    for (const double a : anchor) squares += a * a;
    for (size_t row = 0; row < kRows; ++row) {
      double product = 0;
      for (size_t d = 0; d < kDim; ++d) product += key(head, row, d) * anchor[d];
      expected[head][row] = 1 - product / (length(row) * std::sqrt(squares));
    }
  }
  expect_near(run("keydiff"), expected);
}

/// Means over the window's queries and the group's query heads, pooled over `pool` rows, and the window on top.
Matrix of_window(const std::function<std::vector<double>(size_t head, size_t row)>& attention, size_t window,
                 size_t pool) {
  const size_t before = kRows - window;
  Matrix scores(kKvHeads, std::vector<double>(kRows));
  for (size_t head = 0; head < kHeads; ++head) {
    std::vector<double> mean(before);
    for (size_t row = before; row < kRows; ++row) {
      const std::vector<double> shares = attention(head, row);
      for (size_t seen = 0; seen < before; ++seen) mean[seen] += shares[seen] / static_cast<double>(window);
    }
    for (size_t row = 0; row < before; ++row) {
      for (size_t near = 0; near < before; ++near) {
        if (std::max(row, near) - std::min(row, near) > pool / 2) continue;
        scores[head / kGroup][row] += mean[near] / static_cast<double>(pool) / kGroup;
      }
    }
  }
  return scores;
}

TEST_F(MethodsTest, SnapKvPoolsWhatTheLast64QueriesAttendTo) {
  Matrix expected = of_window([this](size_t head, size_t row) { return attention(head, row); }, 64, 5);
  const double best = largest(expected);
  for (auto& head : expected) std::fill(head.end() - 64, head.end(), best);
  expect_near(run("snapkv"), expected);
}

TEST_F(MethodsTest, TovaAveragesTheLastQueryOverAllHeads) {
  Matrix expected = of_window([this](size_t head, size_t row) { return attention(head, row); }, 1, 1);
  for (size_t row = 0; row + 1 < kRows; ++row) {
    const double mean = (expected[0][row] + expected[1][row] + expected[2][row]) / 3;
    for (auto& head : expected) head[row] = mean;
  }
  const double best = largest(expected);
  for (auto& head : expected) head.back() = best;
  expect_near(run("tova"), expected);
}

TEST_F(MethodsTest, H2oIsTheMeanAttentionOfAllWhoSeeARow) {
  Matrix expected(kKvHeads, std::vector<double>(kRows));
  for (size_t head = 0; head < kHeads; ++head) {
    for (size_t row = 0; row < kRows; ++row) {
      const std::vector<double> shares = attention(head, row);
      for (size_t seen = 0; seen <= row; ++seen) {
        expected[head / kGroup][seen] += shares[seen] / (kGroup * static_cast<double>(kRows - seen));
      }
    }
  }
  expect_near(run("h2o"), expected);
}

/// Expected attention with whole matrices, from queries whose rotation isn't undone but never done.
class ExpectedAttentionTest : public MethodsTest, public testing::WithParamInterface<RopePairing> {
 protected:
  /// The rotation of a position, `[kDim, kDim]`, of the first 6 values of a head.
  Matrix rotation(size_t position) const {
    Matrix turned(kDim, std::vector<double>(kDim));
    for (size_t d = 0; d < kDim; ++d) turned[d][d] = 1;
    for (size_t pair = 0; pair < 3; ++pair) {
      const double angle = static_cast<double>(position) * std::pow(10000.0, -static_cast<double>(pair) / 3);
      const bool halves = GetParam() == RopePairing::halves;
      const size_t a = halves ? pair : 2 * pair, b = halves ? pair + 3 : 2 * pair + 1;
      turned[a][a] = turned[b][b] = std::cos(angle);
      turned[a][b] = -std::sin(angle);
      turned[b][a] = std::sin(angle);
    }
    return turned;
  }
  static std::vector<double> times(const Matrix& matrix, const std::vector<double>& x) {
    std::vector<double> product(kDim);
    for (size_t i = 0; i < kDim; ++i) {
      for (size_t j = 0; j < kDim; ++j) product[i] += matrix[i][j] * x[j];
    }
    return product;
  }
};

TEST_P(ExpectedAttentionTest, IsTheSoftmaxOfExpectedLogits) {
  config_.rope.dims = 6;
  config_.rope_pairing = GetParam();
  for (float& query : queries_) query += 0.3F;  // a mean that counts
  const std::vector<float> plain = queries_;
  for (size_t row = 0; row < kRows; ++row) {
    for (size_t head = 0; head < kHeads; ++head) {
      float* const values = queries_.data() + (row * kHeads + head) * kDim;
      const std::vector<double> rotated = times(rotation(row), {values, values + kDim});
      std::copy(rotated.begin(), rotated.end(), values);
    }
  }
  Matrix mean_rotation(kDim, std::vector<double>(kDim));
  for (size_t position = kRows; position < kRows + 512; ++position) {
    const Matrix one = rotation(position);
    for (size_t i = 0; i < kDim; ++i) {
      for (size_t j = 0; j < kDim; ++j) mean_rotation[i][j] += one[i][j] / 512;
    }
  }
  Matrix expected(kKvHeads, std::vector<double>(kRows));
  for (size_t head = 0; head < kHeads; ++head) {
    const auto query = [&](size_t row, size_t d) {
      return static_cast<double>(plain[(row * kHeads + head) * kDim + d]);
    };
    std::vector<double> mean(kDim);
    for (size_t row = 4; row < kRows; ++row) {
      for (size_t d = 0; d < kDim; ++d) mean[d] += query(row, d) / (kRows - 4);
    }
    std::vector<double> shares(kRows);
    double sum = 0;
    const std::vector<double> turned_mean = times(mean_rotation, mean);
    Matrix deviations;  // the rotated queries' from their mean: their squares make up R C R'
    for (size_t row = 4; row < kRows; ++row) {
      std::vector<double> deviation(kDim);
      for (size_t d = 0; d < kDim; ++d) deviation[d] = query(row, d) - mean[d];
      deviations.push_back(times(mean_rotation, deviation));
    }
    for (size_t row = 4; row < kRows; ++row) {
      double logit = 0, variance = 0;
      for (size_t d = 0; d < kDim; ++d) logit += 0.4 * turned_mean[d] * key(head / kGroup, row, d);
      for (const auto& deviation : deviations) {
        double along = 0;
        for (size_t d = 0; d < kDim; ++d) along += deviation[d] * key(head / kGroup, row, d);
        variance += along * along / (kRows - 4);
      }
      sum += shares[row] = std::exp(logit + 0.4 * 0.4 / 2 * variance);
    }
    for (size_t row = 4; row < kRows; ++row) {
      double squares = 0;
      for (size_t d = 0; d < kDim; ++d) squares += value(head / kGroup, row, d) * value(head / kGroup, row, d);
      expected[head / kGroup][row] += shares[row] / sum / kGroup * std::sqrt(squares);
    }
  }
  const double best = largest(expected);
  for (auto& head : expected) std::fill(head.begin(), head.begin() + 4, best);
  expect_near(run("expected-attention"), expected, 2e-3);
}

INSTANTIATE_TEST_SUITE_P(Pairings, ExpectedAttentionTest, testing::Values(RopePairing::halves, RopePairing::adjacent));

TEST(Methods, TakeDocumentsOfAnyLength) {
  ModelConfig config;
  config.heads = config.kv_heads = 1;
  config.head_dim = 2;
  config.attention_scale = 1;
  config.rope.dims = 2;
  const std::vector<float> values(2 * 70, 0.5F);
  for (const ScoringMethod& method : scoring_methods()) {
    if (method.make == nullptr) continue;
    for (const size_t rows : {1, 2, 3, 5, 64, 70}) {
      const std::span<const float> part = std::span(values).first(2 * rows);
      const LayerRows layer{1, rows, 2, part, part};
      const auto scorer = method.make({1, 1, rows, &config, 0});
      const size_t count = std::min(rows, scorer->queries());
      EXPECT_TRUE(count <= rows);
      if (count > 0) scorer->observe(0, {rows - count, count, 1, 2, part.last(2 * count)}, layer);
      std::vector<float> scores(rows, -7);
      scorer->score(0, layer, scores);
      for (const float score : scores) EXPECT_TRUE(std::isfinite(score) && score >= 0) << method.name << ' ' << rows;
    }
  }
}

TEST(Methods, AreKnownByName) {
  EXPECT_EQ(scoring_methods().front().name, "kvzip");
  for (const ScoringMethod& method : scoring_methods()) {
    EXPECT_EQ(&method_by_name(method.name), &method);
    EXPECT_EQ(method.make != nullptr, method.source == Source::rows);
  }
  try {
    method_by_name("snap");
    FAIL() << "found a method that there isn't";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::usage);
    EXPECT_NE(std::string(error.what()).find("kvzip, kvzip+, streaming-llm, random"), std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace kvzip
