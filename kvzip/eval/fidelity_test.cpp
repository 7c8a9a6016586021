#include "kvzip/eval/fidelity.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace kvzip {
namespace {

std::vector<double> softmax(const std::vector<float>& logits) {
  double total = 0;
  std::vector<double> p;
  for (const float logit : logits) total += std::exp(static_cast<double>(logit));
  for (const float logit : logits) p.push_back(std::exp(static_cast<double>(logit)) / total);
  return p;
}

TEST(Fidelity, LossAndDivergenceAreThoseOfPlainSoftmaxes) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal(0, 2);
  std::vector<float> a(101);
  std::vector<float> b(101);
  for (size_t i = 0; i < a.size(); ++i) {
    a[i] = normal(random);
    b[i] = normal(random);
  }
  const std::vector<double> p = softmax(a);
  const std::vector<double> q = softmax(b);
  double expected = 0;
  for (size_t i = 0; i < p.size(); ++i) expected += p[i] * std::log(p[i] / q[i]);
  EXPECT_NEAR(kl_divergence(a, b), expected, 1e-9);
  EXPECT_NEAR(kl_divergence(a, a), 0, 1e-12);
  EXPECT_NEAR(token_loss(a, 17), -std::log(p[17]), 1e-9);
  for (float& logit : a) logit += 5000;  // only differences count, however large the logits
  EXPECT_NEAR(kl_divergence(a, b), expected, 1e-2);
}

TEST(Fidelity, TheSmallestRatioWithinALoss) {
  const std::vector<Fidelity> all = {{.ratio = 1, .loss = 0.5},
                                     {.ratio = 0.7, .loss = 0.52},
                                     {.ratio = 0.5, .loss = 0.56},
                                     {.ratio = 0.3, .loss = 0.9}};
  EXPECT_EQ(smallest_ratio_within(all, 0.1), 0.5);
  EXPECT_EQ(smallest_ratio_within(all, 0.03), 0.7);
  EXPECT_EQ(smallest_ratio_within(all, 0.001), 1);
  EXPECT_EQ(smallest_ratio_within(all, 10), 0.3);
}

}  // namespace
}  // namespace kvzip
