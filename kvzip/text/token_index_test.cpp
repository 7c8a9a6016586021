#include "kvzip/text/token_index.h"

#include <gtest/gtest.h>

#include <map>

#include "kvzip/text/test_text.h"

namespace kvzip {
namespace {

TEST(TokenIndex, AgreesWithAMap) {
  Random random(3);
  for (const size_t count : {0U, 1U, 7U, 1000U}) {
    std::vector<std::string> tokens;
    std::map<std::string, TokenId> first;
    for (size_t id = 0; id < count; ++id) {
      tokens.push_back(random.of("abc", random.number(6)));  // short, so that many occur twice and some are empty
      if (!tokens.back().empty()) first.try_emplace(tokens.back(), static_cast<TokenId>(id));
    }
    const TokenIndex index(tokens);
    for (int round = 0; round < 2000; ++round) {
      const std::string spelling = random.of("abc", random.number(7));
      const auto expected = first.find(spelling);
      ASSERT_EQ(index.find(spelling), expected == first.end() ? std::nullopt : std::optional(expected->second))
          << spelling;
    }
  }
}

TEST(MergeIndex, AgreesWithAMap) {
  Random random(4);
  MergeIndex index(900);
  std::map<std::pair<TokenId, TokenId>, Merge> first;
  for (uint32_t rank = 0; rank < 900; ++rank) {
    const auto left = static_cast<TokenId>(random.number(30));
    const auto right = static_cast<TokenId>(random.number(30));
    const Merge merge{.rank = rank, .merged = static_cast<TokenId>(random.number(1000))};
    index.add(left, right, merge);
    first.try_emplace({left, right}, merge);
  }
  for (TokenId left = -1; left < 31; ++left) {
    for (TokenId right = -1; right < 31; ++right) {
      const auto expected = first.find({left, right});
      const Merge found = index.find(left, right);
      ASSERT_EQ(bool{found}, expected != first.end());
      if (!found) continue;
      EXPECT_EQ(found.rank, expected->second.rank);
      EXPECT_EQ(found.merged, expected->second.merged);
    }
  }
}

}  // namespace
}  // namespace kvzip
