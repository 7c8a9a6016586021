#include "kvzip/cli/splitting.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "kvzip/base/error.h"
#include "kvzip/cli/display_text.h"
#include "kvzip/cli/splitting_report.h"

namespace kvzip::cli {
namespace {

constexpr std::string_view kText = "The cat sat. The cat, the hat!\n\nThe cat sat again and again and again.\n";

Splitting split(const std::string& kind, std::string_view text = kText) {
  ProgressBar bar(true);
  return split_text(kind, {"text", text}, nullptr, bar);
}

TEST(Splitting, CountsPieces) {
  const Splitting whitespace = split("whitespace");
  EXPECT_EQ(whitespace.pieces, 15U);
  EXPECT_EQ(whitespace.distinct, 10U);
  EXPECT_EQ(whitespace.beginning[2], "sat.");
  EXPECT_EQ(whitespace.frequent.front(), (std::pair<std::string, uint64_t>{"The", 3}));
  EXPECT_NEAR(whitespace.bytes_each, static_cast<double>(kText.size()) / 15, 1e-9);
  const Splitting word = split("word");
  EXPECT_EQ(word.pieces, 19U);
  EXPECT_EQ(word.beginning[3], ".");
  EXPECT_EQ(split("character").pieces, kText.size());
  EXPECT_EQ(split("sentence").pieces, 3U);
  EXPECT_FALSE(word.vocabulary_size.has_value());
}

TEST(Splitting, VocabulariesAreLearntFromTheText) {
  for (const char* kind : {"bpe", "wordpiece", "unigram"}) {
    const Splitting splitting = split(kind);
    EXPECT_EQ(splitting.unknown, size_t{0}) << kind;
    EXPECT_GT(splitting.vocabulary_size, size_t{20}) << kind;
    EXPECT_LT(splitting.pieces, kText.size()) << kind;
    EXPECT_EQ(splitting.vocabulary, "learnt from this text just now");
  }
  std::string joined;
  for (const std::string& piece : split("bpe").beginning) joined += piece;
  EXPECT_EQ(joined, kText);
}

TEST(Splitting, ManyCharactersFitIntoTheVocabulary) {
  std::string text;
  for (int i = 0; i < 3000; ++i) {
    const int point = 0x4E00 + i;
    text += {static_cast<char>(0xE0 | (point >> 12)), static_cast<char>(0x80 | ((point >> 6) & 0x3F)),
             static_cast<char>(0x80 | (point & 0x3F))};
  }
  for (const char* kind : {"bpe", "wordpiece", "unigram"}) EXPECT_EQ(split(kind, text).unknown, size_t{0}) << kind;
}

TEST(Splitting, InvalidTextIsCutButNotLearntFrom) {
  EXPECT_EQ(split("whitespace", "a\xFF b").pieces, 2U);
  EXPECT_EQ(split("character", "a\xFF b").pieces, 4U);
  EXPECT_THROW(split("unigram", "a\xFF b"), Error);
}

TEST(SplittingReport, PiecesFillLines) {
  EXPECT_EQ(pieces_in_lines({"one", "two", "three"}, 40, 3, false), "  one|two|three\n");
  EXPECT_EQ(pieces_in_lines({"a\n", "\tb", "\x1b[0m"}, 40, 3, false), "  a⏎|→b|[0m\n");
  EXPECT_EQ(pieces_in_lines({"\xE2\x82", "x"}, 40, 3, false), "  \uFFFD|x\n");
  const std::vector<std::string> many(100, "word");
  const std::string lines = pieces_in_lines(many, 40, 2, false);
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 2);
  for (const std::string& line : wrap(lines, 1000)) EXPECT_LE(display_width(line), 40U);
  EXPECT_NE(pieces_in_lines({"one"}, 40, 1, true).find("\x1b[38;5;255;48;5;24mone\x1b[0m"), std::string::npos);
  EXPECT_EQ(pieces_in_lines({std::string(300, 'x')}, 40, 2, false).size(), 2 * (2 + 37 + 1));
}

TEST(SplittingReport, NamesEachKindAndItsFigures) {
  const std::string report = splitting_report({split("word"), split("bpe")}, 80, false);
  for (const char* part :
       {"word: words and marks", "The|cat|sat|.", "vocabulary: learnt", "most frequent:", "Bytes each"})
    EXPECT_NE(report.find(part), std::string::npos) << part << "\n" << report;
  for (const std::string& line : wrap(report, 10'000)) EXPECT_LE(display_width(line), 120U) << line;
  const Json json = to_json(split("bpe"));
  EXPECT_EQ(json.at("kind"), "bpe");
  EXPECT_GT(json.at("vocabulary_size"), 256);
  EXPECT_FALSE(to_json(split("word")).contains("vocabulary"));
}

}  // namespace
}  // namespace kvzip::cli
