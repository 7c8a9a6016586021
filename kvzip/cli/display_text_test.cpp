#include "kvzip/cli/display_text.h"

#include <gtest/gtest.h>

#include <random>

namespace kvzip::cli {
namespace {

TEST(DisplayText, TakesControlSequencesOut) {
  EXPECT_EQ(printable("a\x1b[31mred\x07\x7f\r\n\tb"), "a[31mred\n\tb");
  EXPECT_EQ(printable("caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x90\x95"), "caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x90\x95");
  EXPECT_EQ(printable("\xC2\x9B\x33m"), "3m");  // CSI as one character
  EXPECT_EQ(one_line("two\nlines\tand more"), "two lines and more");
}

TEST(DisplayText, MeasuresColumnsNotBytes) {
  EXPECT_EQ(display_width(""), 0U);
  EXPECT_EQ(display_width("abc"), 3U);
  EXPECT_EQ(display_width("h\xC3\xA9"), 2U);
  EXPECT_EQ(display_width("e\xCC\x81"), 1U);                 // combining acute accent
  EXPECT_EQ(display_width("\xE6\xBC\xA2\xE5\xAD\x97"), 4U);  // two Chinese characters
  EXPECT_EQ(display_width("\xF0\x9F\x90\x95"), 2U);          // a dog
  EXPECT_EQ(display_width("\xFF\xC3"), 2U);                  // no UTF-8: a column per byte
}

TEST(DisplayText, WrapsAtSpaces) {
  EXPECT_EQ(wrap("the quick brown fox", 10), (std::vector<std::string>{"the quick", "brown fox"}));
  EXPECT_EQ(wrap("exactly ten", 7), (std::vector<std::string>{"exactly", "ten"}));
  EXPECT_EQ(wrap("unbreakable", 4), (std::vector<std::string>{"unbr", "eaka", "ble"}));
  EXPECT_EQ(wrap("a\n\nb", 10), (std::vector<std::string>{"a", "", "b"}));
  EXPECT_EQ(wrap("", 10), (std::vector<std::string>{""}));
}

TEST(DisplayText, WrappingLosesNothingButSpacesAndKeepsToTheWidth) {
  std::mt19937 random(3);
  const std::vector<std::string> parts = {
      "a", "bc", " ", "  ", "\n", "\xC3\xA9", "\xE6\xBC\xA2", "\xF0\x9F\x90\x95", "\xFF", "word", "-"};
  const auto without_spaces = [](std::string text) {
    std::erase_if(text, [](char c) { return c == ' ' || c == '\n'; });
    return text;
  };
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (size_t i = 0; i < random() % 40; ++i) text += parts[random() % parts.size()];
    const size_t width = 2 + random() % 12;
    std::string joined;
    for (const std::string& line : wrap(text, width)) {
      ASSERT_LE(display_width(line), width) << text;
      joined += line;
    }
    ASSERT_EQ(without_spaces(joined), without_spaces(text));
    ASSERT_LE(display_width(shortened(one_line(text), width)), width);
  }
}

TEST(DisplayText, ShortensWithAnEllipsis) {
  EXPECT_EQ(shortened("abcdef", 6), "abcdef");
  EXPECT_EQ(shortened("abcdefg", 6), "abcde…");
}

}  // namespace
}  // namespace kvzip::cli
