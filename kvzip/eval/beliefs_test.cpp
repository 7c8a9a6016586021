#include "kvzip/eval/beliefs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace kvzip {
namespace {

TEST(Beliefs, AreThoseOfAPlainSoftmax) {
  constexpr size_t kVocab = 37;
  const std::vector<TokenId> answer = {3, 36, 0, 11, 11};
  std::mt19937_64 random(11);
  std::normal_distribution<float> normal(0, 3);
  std::vector<float> logits(kVocab * answer.size());
  for (float& logit : logits) logit = normal(random) + 50;
  const Beliefs beliefs = beliefs_of(logits, answer);
  ASSERT_EQ(beliefs.p_answer.size(), answer.size());
  for (size_t i = 0; i < answer.size(); ++i) {
    std::vector<double> p;
    double total = 0;
    for (size_t id = 0; id < kVocab; ++id) p.push_back(std::exp(static_cast<double>(logits[i * kVocab + id]) - 50));
    for (const double each : p) total += each;
    EXPECT_NEAR(beliefs.p_answer[i], p[static_cast<size_t>(answer[i])] / total, 1e-6);
    EXPECT_EQ(beliefs.top[i], std::max_element(p.begin(), p.end()) - p.begin());
    std::sort(p.begin(), p.end());
    EXPECT_NEAR(beliefs.margin[i], (p[kVocab - 1] - p[kVocab - 2]) / total, 1e-6);
  }
}

TEST(Beliefs, ComparedWithTheFullMemorys) {
  const Beliefs full{.p_answer = {0.9F, 0.8F, 0.7F}, .margin = {0.8F, 0.7F, 0.6F}, .top = {1, 2, 3}};
  const Beliefs pruned{.p_answer = {0.8F, 0.1F, 0.6F}, .margin = {0.5F, 0.3F, 0.4F}, .top = {1, 5, 3}};
  const BeliefComparison comparison = compare_beliefs(pruned, full);
  EXPECT_NEAR(comparison.mean_p_answer, 0.5, 1e-6);
  EXPECT_NEAR(comparison.mean_log_p, (std::log(0.8) + std::log(0.1) + std::log(0.6)) / 3, 1e-6);
  EXPECT_NEAR(comparison.min_margin, 0.3, 1e-6);
  EXPECT_EQ(comparison.flips, std::vector<size_t>{1});
  EXPECT_TRUE(compare_beliefs(full, full).flips.empty());
}

TEST(Beliefs, OfAnEmptyAnswerAndOfAnImpossibleToken) {
  EXPECT_EQ(compare_beliefs(beliefs_of({}, {}), {}).mean_p_answer, 0);
  const std::vector<float> logits = {0, -1e30F, 1};
  const std::vector<TokenId> answer = {1};
  const Beliefs beliefs = beliefs_of(logits, answer);
  EXPECT_EQ(beliefs.p_answer.front(), 0);
  EXPECT_TRUE(std::isfinite(compare_beliefs(beliefs, beliefs).mean_log_p));
}

}  // namespace
}  // namespace kvzip
