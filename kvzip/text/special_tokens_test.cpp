#include "kvzip/text/special_tokens.h"

#include <gtest/gtest.h>

#include "kvzip/base/error.h"
#include "kvzip/text/test_text.h"

namespace kvzip {
namespace {

std::optional<SpecialTokens::Found> naive_find(const std::vector<std::string>& spellings, const std::string& text,
                                               size_t from) {
  for (size_t begin = from; begin < text.size(); ++begin) {
    std::optional<SpecialTokens::Found> best;
    for (size_t id = 0; id < spellings.size(); ++id) {
      const size_t end = begin + spellings[id].size();
      if (text.compare(begin, spellings[id].size(), spellings[id]) == 0 && (!best || end > best->end)) {
        best = {.begin = begin, .end = end, .id = static_cast<TokenId>(id)};
      }
    }
    if (best) return best;
  }
  return std::nullopt;
}

TEST(SpecialTokens, FindsTheFirstAndLongestLikeAPlainSearch) {
  Random random(5);
  for (int round = 0; round < 300; ++round) {
    std::vector<std::string> spellings;
    SpecialTokens specials;
    for (size_t i = 0; i < 1 + random.number(12); ++i) {
      spellings.push_back(random.of("<|a>", 1 + random.number(5)));
      specials.add(spellings.back(), static_cast<TokenId>(i));
    }
    const std::string text = random.of("<|ab>", random.number(60));
    for (size_t from = 0; from <= text.size(); ++from) {
      const auto found = specials.find(text, from);
      const auto expected = naive_find(spellings, text, from);
      ASSERT_EQ(found.has_value(), expected.has_value()) << text << " from " << from;
      if (!found) continue;
      EXPECT_EQ(found->begin, expected->begin);
      EXPECT_EQ(found->end, expected->end);
      EXPECT_EQ(found->id, expected->id);
    }
  }
}

TEST(SpecialTokens, AnEmptySetFindsNothing) { EXPECT_FALSE(SpecialTokens().find("<|im_start|>", 0)); }

TEST(SpecialTokens, ALengthThatIsNotAllowedIsABug) {
  SpecialTokens specials;
  EXPECT_THROW(specials.add("", 0), Error);
  EXPECT_THROW(specials.add(std::string(SpecialTokens::kLongest + 1, 'x'), 0), Error);
  specials.add(std::string(SpecialTokens::kLongest, 'x'), 0);
  EXPECT_TRUE(specials.find(std::string(SpecialTokens::kLongest, 'x'), 0));
}

TEST(SpecialTokens, TenMegabytesOfNearMisses) {
  SpecialTokens specials;
  specials.add(std::string(30, '<') + "x", 7);
  std::string text(10'000'000, '<');
  EXPECT_FALSE(specials.find(text, 0));
  text += 'x';
  const auto found = specials.find(text, 0);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->end, text.size());
}

}  // namespace
}  // namespace kvzip
