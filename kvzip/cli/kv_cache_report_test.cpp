// The report of `kvzip bench kv-cache` from made-up times: which rows, the right ratios, what is said of the tokens.
#include "kvzip/cli/kv_cache_report.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace kvzip::cli {
namespace {

/// 32 tokens at 10 ms each with the cache, and 10, 20, 30 ... ms without; two questions.
KvCacheReport made_up() {
  KvCacheReport report{"some model", "some machine", 2, {}, {}};
  double recomputed = 0;
  for (size_t i = 1; i <= 32; ++i) {
    recomputed += 0.01 * static_cast<double>(i);
    report.generation.cached.push_back(0.01 * static_cast<double>(i));
    report.generation.recomputed.push_back(recomputed);
  }
  report.generation.check = {32, 32, 0};
  report.prompts = {500, 8, 1.0, {0.1, 0.1}, {1.1, 1.1}, {1.2, 1.4}, {1.2, 2.4}, {2, 2, 0}};
  return report;
}

TEST(KvCacheReport, RowsAreHalvesOfTheLength) {
  EXPECT_EQ(row_lengths(128), (std::vector<size_t>{8, 16, 32, 64, 128}));
  EXPECT_EQ(row_lengths(100), (std::vector<size_t>{12, 25, 50, 100}));
  EXPECT_EQ(row_lengths(3), (std::vector<size_t>{3}));
}

TEST(KvCacheReport, RatiosAreOfTheTimesSoFar) {
  const Json json = to_json(made_up());
  const Json& lengths = json.at("generation").at("lengths");
  ASSERT_EQ(lengths.size(), 3U);
  EXPECT_NEAR(lengths[0].at("speed_up"), 4.5, 1e-9);  // (1 + ... + 8) / 8
  EXPECT_NEAR(lengths[2].at("speed_up"), 16.5, 1e-9);
  EXPECT_NEAR(lengths[2].at("cached_tokens_per_s"), 100, 1e-9);
  EXPECT_NEAR(json.at("prompt_caching").at("questions")[1].at("recomputed_seconds"), 2.4, 1e-9);
  const std::string text = to_text(made_up(), {100});
  for (const char* part : {"16.5x", "4.5x", "11.0x", "1.7x", "the same 32 tokens", "500 tokens"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " is missing in\n" << text;
  }
  EXPECT_NE(to_svg(made_up()).find("some model"), std::string::npos);
}

TEST(KvCacheReport, SaysHowFarOtherTokensWereOff) {
  KvCacheReport report = made_up();
  report.generation.check = {32, 31, 0.02};
  EXPECT_NE(to_text(report, {100}).find("31 of 32"), std::string::npos);
  EXPECT_EQ(to_text(report, {100}).find("SHOULD"), std::string::npos);
  report.generation.check = {32, 12, 7};
  EXPECT_NE(to_text(report, {100}).find("SHOULD AGREE"), std::string::npos);
}

TEST(TokenCheck, MeasuresHowMuchLikelierItsOwnChoiceWas) {
  TokenCheck check;
  const std::vector<float> logits = {1, 3, 2.5F};
  check.add(logits, 1);
  EXPECT_EQ(check.same, 1U);
  EXPECT_EQ(check.largest_gap, 0);
  check.add(logits, 2);
  EXPECT_EQ(check.same, 1U);
  EXPECT_EQ(check.compared, 2U);
  EXPECT_EQ(check.largest_gap, 0.5);
}

}  // namespace
}  // namespace kvzip::cli
