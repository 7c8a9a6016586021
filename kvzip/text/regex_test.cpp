#include "kvzip/text/regex.h"

#include <gtest/gtest.h>

#include <vector>

#include "kvzip/base/error.h"
#include "kvzip/text/regex_dialect.h"

namespace kvzip {
namespace {

using Parts = std::vector<std::string>;

/// The parts of `text`, matches in brackets.
Parts parts_of(const Regex& regex, std::string_view text) {
  Parts parts;
  regex.split(text, [&](std::string_view part, bool is_match) {
    parts.push_back(is_match ? "[" + std::string(part) + "]" : std::string(part));
  });
  return parts;
}

Parts parts_of(std::string_view pattern, std::string_view text) { return parts_of(Regex(pattern), text); }

TEST(Regex, CutsAtMatches) {
  EXPECT_EQ(parts_of("b+", "abba"), (Parts{"a", "[bb]", "a"}));
  EXPECT_EQ(parts_of("b+", "bb"), (Parts{"[bb]"}));
  EXPECT_EQ(parts_of("x", "ab"), (Parts{"ab"}));
  EXPECT_EQ(parts_of("x", ""), Parts{});
}

TEST(Regex, EmptyMatchesDoNotFollowAMatch) {
  EXPECT_EQ(parts_of("a*", "baac"), (Parts{"[]", "b", "[aa]", "c", "[]"}));
  EXPECT_EQ(parts_of("", "\u00E9x"), (Parts{"[]", "\u00E9", "[]", "x", "[]"}));
}

TEST(Regex, IsWrittenInTheDialectOfRuby) {
  EXPECT_EQ(parts_of("^.", "ab\ncd"), (Parts{"[a]", "b\n", "[c]", "d"}));
  EXPECT_EQ(parts_of("(?m)b.c", "ab\nc"), (Parts{"a", "[b\nc]"}));
  EXPECT_EQ(parts_of("b.c", "ab\nc"), (Parts{"ab\nc"}));
  EXPECT_EQ(parts_of("\\h+", "xfFx"), (Parts{"x", "[fF]", "x"}));
  EXPECT_EQ(parts_of("a(?i)b|c", "aCcaB"), (Parts{"[aC]", "c", "[aB]"}));
  EXPECT_EQ(parts_of("ab{,2}", "abbb"), (Parts{"[abb]", "b"}));
  EXPECT_EQ(parts_of("\\u00e9", "\u00E9"), (Parts{"[\u00E9]"}));
  EXPECT_EQ(parts_of("[^\\W_]+", "a_\u00E9"), (Parts{"[a]", "_", "[\u00E9]"}));
}

TEST(Regex, KnowsCharactersThatAreNewerThanPcre2) {
  EXPECT_EQ(parts_of("\\p{L}+", "a\U00031350b"), (Parts{"[a\U00031350b]"}));  // Unicode 15
  EXPECT_EQ(parts_of("[^\\s\\p{L}\\p{N}]+", "\U00031350"), (Parts{"\U00031350"}));
  EXPECT_EQ(parts_of("\\P{L}", "\U00031350"), (Parts{"\U00031350"}));
  EXPECT_EQ(parts_of("\\p{Cn}", "\U00031350\u0378"), (Parts{"\U00031350", "[\u0378]"}));
  EXPECT_EQ(parts_of("\\p{Han}", "\U00031350\u4E2D"), (Parts{"[\U00031350]", "[\u4E2D]"}));
  EXPECT_EQ(parts_of("\\s", "\u180E\u3000"), (Parts{"\u180E", "[\u3000]"}));
}

TEST(Regex, CommonPatternsAreTranslatedToThemselves) {
  const std::string_view gpt2 = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
  EXPECT_EQ(
      pcre2_pattern(gpt2, "pattern", RegexTexts::most),
      R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{Wspace}\p{L}\p{N}]+|\p{Wspace}+(?!\P{Wspace})|\p{Wspace}+)");
}

TEST(Regex, WhatCannotBeUsedIsNamed) {
  for (const char* pattern : {"(", ")", "[a", "a**b(", "[a&&b]", "[[a]]", "a{2}?", "a{2,3}+", "\\", "\\p", "\\p{L",
                              "\\X", "\\xE9", "(?x)a", "(?<n", "\\k<n>"}) {
    try {
      Regex regex(pattern, "here");
      ADD_FAILURE() << pattern;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::unsupported) << pattern;
      EXPECT_TRUE(std::string_view(error.what()).starts_with("here: ")) << error.what();
    }
  }
  EXPECT_THROW(Regex(std::string(100'000, 'a')), Error);
  EXPECT_THROW(Regex(std::string(1000, '(') + std::string(1000, ')')), Error);
}

}  // namespace
}  // namespace kvzip
