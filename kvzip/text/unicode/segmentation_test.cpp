#include "kvzip/text/unicode/segmentation.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace kvzip {
namespace {

using Pieces = std::vector<std::string>;
using Cut = void (*)(std::string_view, const VisitSegment&);

Pieces pieces(Cut cut, std::string_view text) {
  Pieces found;
  cut(text, [&](std::string_view piece) { found.emplace_back(piece); });
  return found;
}

std::string joined(const Pieces& pieces) {
  std::string text;
  for (const std::string& piece : pieces) text += piece;
  return text;
}

constexpr Cut kComplete[] = {characters, words, sentences};

TEST(Segmentation, CharactersAreWhatAReaderSees) {
  EXPECT_EQ(pieces(characters, "e\u0301a"), (Pieces{"e\u0301", "a"}));
  EXPECT_EQ(pieces(characters, "\r\n\n"), (Pieces{"\r\n", "\n"}));
  EXPECT_EQ(pieces(characters, "👩\u200D🚀🇩🇪🇫🇷"), (Pieces{"👩\u200D🚀", "🇩🇪", "🇫🇷"}));
  EXPECT_EQ(pieces(characters, "한국"), (Pieces{"한", "국"}));
}

TEST(Segmentation, WordsAndWhatLiesBetweenThem) {
  EXPECT_EQ(pieces(words, "Don't stop: 3.14, ok?"),
            (Pieces{"Don't", " ", "stop", ":", " ", "3.14", ",", " ", "ok", "?"}));
  EXPECT_EQ(pieces(words, "a\n\nb"), (Pieces{"a", "\n", "\n", "b"}));
}

TEST(Segmentation, SentencesKeepTheSpacesBehindThem) {
  EXPECT_EQ(pieces(sentences, "It rained. Was it 3.5 mm? Yes!\nNo more."),
            (Pieces{"It rained. ", "Was it 3.5 mm? ", "Yes!\n", "No more."}));
}

TEST(Segmentation, WhitespacePiecesLeaveTheSpacesOut) {
  EXPECT_EQ(pieces(whitespace_pieces, " a  b\t\u00A0c\u2003d\n"), (Pieces{"a", "b", "c", "d"}));
  EXPECT_EQ(pieces(whitespace_pieces, " \n"), Pieces{});
  EXPECT_EQ(pieces(whitespace_pieces, "a\xFF z"), (Pieces{"a\xFF", "z"}));
  EXPECT_TRUE(is_blank(" \t\n\u3000"));
  EXPECT_FALSE(is_blank(" a"));
}

TEST(Segmentation, NothingOfInvalidTextIsLost) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    std::string text;
    const size_t size = random() % 50;
    for (size_t i = 0; i < size; ++i) text += static_cast<char>(random() % 3 == 0 ? 'a' : random() % 256);
    for (const Cut cut : kComplete) EXPECT_EQ(joined(pieces(cut, text)), text);
  }
}

// What is cut in windows must come out as if it were not: lines are independent of each other, so cutting line by line
// is the reference, and long lines are made of parts whose pieces are known.
TEST(Segmentation, LongTextIsCutAsShortTextIs) {
  const std::string part = "Don't stop, Ada Lind! e\u0301 👩\u200D🚀 3.14. ";
  for (const Cut cut : kComplete) {
    const Pieces short_pieces = pieces(cut, part);
    std::string line;
    Pieces expected;
    for (int i = 0; i < 9000; ++i) {  // several windows without an end of line
      line += part;
      expected.insert(expected.end(), short_pieces.begin(), short_pieces.end());
    }
    EXPECT_TRUE(pieces(cut, line) == expected);
    std::string lines;
    Pieces by_line;
    for (int i = 0; i < 9000; ++i) {
      const std::string one = part.substr(0, part.size() - static_cast<size_t>(i % 3)) + "\n";
      lines += one;
      for (std::string& piece : pieces(cut, one)) by_line.push_back(std::move(piece));
    }
    EXPECT_TRUE(pieces(cut, lines) == by_line);
  }
}

TEST(Segmentation, EndlessSegmentsAreCut) {
  const std::string text(size_t{20} << 20U, 'a');
  for (const Cut cut : {words, sentences}) {
    const Pieces found = pieces(cut, text);
    EXPECT_EQ(found.size(), 2U) << "cut at 8 MiB, then the rest fits";
    EXPECT_EQ(found.front().size(), size_t{8} << 20U);
    EXPECT_TRUE(joined(found) == text);
  }
  EXPECT_EQ(pieces(characters, std::string_view(text).substr(0, 100'000)).size(), 100'000U);
}

TEST(Segmentation, EmptyTextHasNoSegments) {
  for (const Cut cut : {characters, words, sentences, whitespace_pieces}) EXPECT_EQ(pieces(cut, ""), Pieces{});
}

}  // namespace
}  // namespace kvzip
