#include "kvzip/text/unicode/normalization.h"

#include <gtest/gtest.h>

#include <random>

#include "kvzip/text/unicode/utf8_append.h"

namespace kvzip {
namespace {

TEST(Normalization, FormsOfKnownTexts) {
  EXPECT_EQ(nfc("e\u0301 \u1100\u1161\u11A8 \u212B"), "\u00E9 \uAC01 \u00C5");
  EXPECT_EQ(nfd("\u00E9 \uAC01 \u00C5"), "e\u0301 \u1100\u1161\u11A8 A\u030A");
  EXPECT_EQ(nfkc("\uFB01 \u00BD \uFF21 \u212B"), "fi 1\u20442 A \u00C5");
  EXPECT_EQ(nfkd("\uFB01 \u00E9 \u2460"), "fi e\u0301 1");
  EXPECT_EQ(nfd("q\u0307\u0323"), "q\u0323\u0307");  // marks in their order
  for (const auto form : {nfc, nfd, nfkc, nfkd}) {
    EXPECT_EQ(form(""), "");
    EXPECT_EQ(form("plain ASCII\n"), "plain ASCII\n");
  }
}

TEST(Normalization, CharactersAfterUnicode9StayAsTheyAre) {
  EXPECT_EQ(nfkc("\uA7F2"), "\uA7F2");         // Unicode 14: a modifier letter C
  EXPECT_EQ(nfd("\U00011938"), "\U00011938");  // Unicode 13: a vowel sign of two parts
}

TEST(Normalization, FormsAreStableWhereverAsciiStands) {
  std::mt19937 random(5);
  static constexpr uint32_t kPoints[] = {'a',    'e',    ' ',    0x301,  0x323,  0xE9,
                                         0x1100, 0x1161, 0xAC00, 0x212B, 0xFB01, 0x4E2D};
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (size_t i = random() % 12; i > 0; --i) append_utf8(kPoints[random() % std::size(kPoints)], text);
    EXPECT_EQ(nfc(nfd(text)), nfc(text));
    EXPECT_EQ(nfd(nfc(text)), nfd(text));
    EXPECT_EQ(nfkc(nfkd(text)), nfkc(text));
    EXPECT_EQ(nfkd(text + "x" + text), nfkd(text) + "x" + nfkd(text));
  }
}

}  // namespace
}  // namespace kvzip
