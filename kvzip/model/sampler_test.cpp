#include "kvzip/model/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <set>

#include "kvzip/base/error.h"

namespace kvzip {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

std::vector<float> random_logits(size_t vocab, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<float> logits(vocab);
  // Few distinct values, so that ties are common.
  for (float& logit : logits) logit = static_cast<float>(random() % 13) * 0.5F - 3;
  return logits;
}

/// The filters by definition: sort everything, then cut. Gives a probability per token.
std::vector<double> plain_distribution(const SamplerOptions& options, const std::vector<float>& logits) {
  std::vector<size_t> order(logits.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return logits[a] > logits[b]; });
  if (options.top_k > 0) order.resize(std::min(order.size(), options.top_k));
  const auto softmax = [&](double temperature) {
    std::vector<double> p;
    p.reserve(order.size());
    for (const size_t id : order) p.push_back(std::exp((logits[id] - logits[order[0]]) / temperature));
    const double sum = std::accumulate(p.begin(), p.end(), 0.0);
    for (double& x : p) x /= sum;
    return p;
  };
  if (options.top_p < 1) {
    const std::vector<double> p = softmax(1);
    double sum = 0;
    size_t kept = 0;
    while (kept < p.size() && sum < options.top_p) sum += p[kept++];
    order.resize(kept);
  }
  const std::vector<double> p = softmax(1);
  while (order.size() > 1 && p[order.size() - 1] < options.min_p * p[0]) order.pop_back();
  const std::vector<double> last = softmax(options.temperature);
  std::vector<double> result(logits.size());
  for (size_t i = 0; i < order.size(); ++i) result[order[i]] = last[i];
  return result;
}

/// Draws many times; every frequency must lie within five standard deviations, and nothing impossible may come out.
void expect_distribution(SamplerOptions options, const std::vector<float>& logits) {
  constexpr int kDraws = 20000;
  const std::vector<double> expected = plain_distribution(options, logits);
  Sampler sampler(options);
  std::vector<int> counts(logits.size());
  for (int i = 0; i < kDraws; ++i) ++counts[static_cast<size_t>(sampler.sample(logits, {}))];
  for (size_t id = 0; id < logits.size(); ++id) {
    const double p = expected[id];
    EXPECT_NEAR(counts[id], p * kDraws, 5 * std::sqrt(p * (1 - p) * kDraws) + (p > 0 ? 1 : 0))
        << "token " << id << " of " << logits.size() << ", top_k " << options.top_k << ", top_p " << options.top_p
        << ", min_p " << options.min_p;
  }
}

TEST(Sampler, GreedyTakesTheLargestAndTheLowestIdOfEquals) {
  Sampler sampler({});
  EXPECT_EQ(sampler.sample(std::vector<float>{-1, 3, 2, 3}, {}), 1);
  EXPECT_EQ(sampler.sample(std::vector<float>{-5}, {}), 0);
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const std::vector<float> logits = random_logits(1 + seed * 37, seed);
    const auto largest = std::max_element(logits.begin(), logits.end()) - logits.begin();
    EXPECT_EQ(sampler.sample(logits, {}), largest);
  }
}

TEST(Sampler, DrawsFollowTheSoftmax) {
  for (const float temperature : {0.3F, 1.F, 2.5F}) {
    expect_distribution({.temperature = temperature, .seed = 3}, random_logits(1, 1));
    expect_distribution({.temperature = temperature, .seed = 4}, random_logits(23, 2));
  }
}

TEST(Sampler, EachFilterKeepsWhatItsDefinitionSays) {
  uint64_t seed = 10;
  for (const size_t vocab : {1U, 2U, 17U, 64U}) {
    const std::vector<float> logits = random_logits(vocab, ++seed);
    for (const size_t k : {1U, 5U, 63U, 64U, 100U})
      expect_distribution({.temperature = 1, .top_k = k, .seed = seed}, logits);
    for (const float p : {0.001F, 0.3F, 0.83F, 0.999F}) {
      expect_distribution({.temperature = 1.5F, .top_p = p, .seed = seed}, logits);
    }
    for (const float p : {0.01F, 0.3F, 1.F})
      expect_distribution({.temperature = 0.7F, .min_p = p, .seed = seed}, logits);
    expect_distribution({.temperature = 2, .top_k = 20, .top_p = 0.9F, .min_p = 0.1F, .seed = seed}, logits);
  }
}

/// The set that top-p keeps, on a vocabulary of real size: draws at a temperature so high that all kept tokens are as
/// likely.
TEST(Sampler, TopPKeepsTheFewestThatReachIt) {
  std::mt19937_64 random(5);
  std::vector<float> logits(5000);
  for (float& logit : logits) logit = static_cast<float>(random() % 1000003) * 1e-5F;
  const SamplerOptions options{.temperature = 1e6F, .top_p = 0.02F, .seed = 1};
  const std::vector<double> expected = plain_distribution(options, logits);
  std::set<size_t> kept;
  for (size_t id = 0; id < logits.size(); ++id) {
    if (expected[id] > 0) kept.insert(id);
  }
  ASSERT_GT(kept.size(), 3U);
  ASSERT_LT(kept.size(), 200U);
  Sampler sampler(options);
  std::set<size_t> drawn;
  for (int i = 0; i < 8000; ++i) drawn.insert(static_cast<size_t>(sampler.sample(logits, {})));
  EXPECT_EQ(drawn, kept);
}

TEST(Sampler, PenaltyConcernsTheLastTokensOnceEach) {
  const std::vector<float> logits = {4, 3.9F, 3, -1};
  const std::vector<TokenId> recent = {1, 0, 0, 0, -7, 99};
  const auto greedy = [&](float penalty, size_t last_n) {
    return Sampler({.repeat_penalty = penalty, .repeat_last_n = last_n}).sample(logits, recent);
  };
  EXPECT_EQ(greedy(1, 64), 0);
  EXPECT_EQ(greedy(1.1F, 64), 0) << "4 / 1.1 is still above 3.9 / 1.1; three times would not be";
  EXPECT_EQ(greedy(1.1F, 5), 1) << "token 1 has left the window";
  EXPECT_EQ(greedy(1.5F, 64), 2);
  EXPECT_EQ(greedy(1.5F, 2), 0) << "only ids outside the vocabulary";
  EXPECT_EQ(greedy(1.5F, 0), 0);
  EXPECT_EQ(greedy(0.5F, 64), 0);
  const std::vector<float> negative = {-1, -1.2F};
  EXPECT_EQ(Sampler({.repeat_penalty = 2}).sample(negative, std::vector<TokenId>{0}), 1);
}

TEST(Sampler, ImpossibleAndInfiniteLogits) {
  for (const float temperature : {0.F, 0.01F, 1.F, 50.F}) {
    Sampler sampler({.temperature = temperature, .top_k = 3, .top_p = 0.9F, .min_p = 0.01F, .repeat_penalty = 1.2F});
    const std::vector<TokenId> recent = {0, 1, 2};
    EXPECT_EQ(sampler.sample(std::vector<float>{kNan, -kInf, 2, kNan}, recent), 2);
    EXPECT_EQ(sampler.sample(std::vector<float>{1, kNan, -kInf, kInf}, recent), 3);
    EXPECT_THROW(sampler.sample(std::vector<float>{kNan, -kInf}, recent), Error);
    EXPECT_THROW(sampler.sample(std::vector<float>{}, recent), Error);
  }
}

/// What Backend::find_candidates() finds, by definition.
std::vector<Candidate> candidates_of(const std::vector<float>& logits, size_t count) {
  std::vector<Candidate> found;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] > -kInf) found.push_back({std::min(logits[i], std::numeric_limits<float>::max()), TokenId(i)});
  }
  std::vector<Candidate> ranked = found;
  std::ranges::sort(ranked, std::greater<>(), &Candidate::logit);
  if (ranked.size() > count) {
    std::erase_if(found, [&](const Candidate& c) { return c.logit < ranked[count - 1].logit; });
  }
  return found;
}

TEST(Sampler, CandidatesSettleTheChoiceAsAllLogitsDo) {
  const SamplerOptions settings[] = {{.temperature = 0.8F, .top_k = 40, .top_p = 0.9F, .seed = 1},
                                     {.temperature = 1.3F, .top_k = 7, .min_p = 0.05F, .seed = 2},
                                     {.temperature = 1, .top_k = 3, .repeat_penalty = 1.5F, .seed = 3},
                                     {.temperature = 0, .repeat_penalty = 1.7F},
                                     {.temperature = 2, .top_k = 1024, .repeat_penalty = 1.1F, .repeat_last_n = 5}};
  for (const SamplerOptions& options : settings) {
    Sampler from_all(options), from_some(options);
    std::vector<TokenId> recent;
    for (uint64_t seed = 0; seed < 100; ++seed) {
      std::vector<float> logits = random_logits(20 + seed * 7, seed);
      logits[seed] = kNan;
      logits[seed / 2] = seed % 2 == 0 ? kInf : -kInf;
      const size_t needed = from_some.candidates_needed(recent);
      ASSERT_GT(needed, 0U);
      const TokenId expected = from_all.sample(logits, recent);
      ASSERT_EQ(from_some.sample(std::span<const Candidate>(candidates_of(logits, needed)), recent), expected);
      recent.push_back(expected);
    }
  }
}

TEST(Sampler, SomeChoicesTakeAllLogits) {
  const std::vector<TokenId> recent(2000);
  const auto needed = [&](const SamplerOptions& options) { return Sampler(options).candidates_needed(recent); };
  EXPECT_EQ(needed({.temperature = 1}), 0U) << "no top-k";
  EXPECT_EQ(needed({.temperature = 1, .top_k = 5000}), 0U);
  EXPECT_EQ(needed({.temperature = 1, .top_k = 5, .repeat_penalty = 0.5F}), 0U) << "it may raise any token";
  EXPECT_EQ(needed({.temperature = 1, .top_k = 5, .repeat_penalty = 2, .repeat_last_n = 2000}), 0U);
  EXPECT_EQ(needed({.temperature = 1, .top_k = 5, .repeat_penalty = 2}), 69U);
  EXPECT_EQ(needed({}), 1U);
}

TEST(Sampler, SeedsAreReproducible) {
  const std::vector<float> logits = random_logits(300, 8);
  const auto draw = [&](uint64_t seed) {
    Sampler sampler({.temperature = 1.2F, .top_k = 250, .top_p = 0.95F, .seed = seed});
    std::vector<TokenId> tokens;
    tokens.reserve(100);
    for (int i = 0; i < 100; ++i) tokens.push_back(sampler.sample(logits, tokens));
    return tokens;
  };
  EXPECT_EQ(draw(42), draw(42));
  EXPECT_NE(draw(42), draw(43));
}

/// The generator is part of the promise: with four equally likely tokens, a draw is the top two bits of mt19937_64.
TEST(Sampler, TheGeneratorIsFixed) {
  std::mt19937_64 reference(7);
  Sampler sampler({.temperature = 1, .seed = 7});
  const std::vector<float> logits(4, 0.5F);
  for (int i = 0; i < 200; ++i) EXPECT_EQ(sampler.sample(logits, {}), static_cast<TokenId>(reference() >> 62U));
}

TEST(Sampler, OptionsOutOfRangeAreNamed) {
  const auto message = [](const SamplerOptions& options) -> std::string {
    try {
      const Sampler sampler(options);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::usage);
      return error.what();
    }
    return "none";
  };
  for (const float bad : {-0.5F, kNan, kInf}) EXPECT_EQ(message({.temperature = bad}).find("temperature:"), 0U) << bad;
  for (const float bad : {0.F, -1.F, 1.01F, kNan}) EXPECT_EQ(message({.top_p = bad}).find("top-p:"), 0U) << bad;
  for (const float bad : {-0.1F, 1.01F, kNan}) EXPECT_EQ(message({.min_p = bad}).find("min-p:"), 0U) << bad;
  for (const float bad : {0.F, -1.F, kNan, kInf}) {
    EXPECT_EQ(message({.repeat_penalty = bad}).find("repeat-penalty:"), 0U) << bad;
  }
  EXPECT_EQ(message({.temperature = 0, .top_p = 1, .min_p = 1}), "none");
}

}  // namespace
}  // namespace kvzip
