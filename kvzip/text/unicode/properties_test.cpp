// All code points are compared with the package `tokenizers` in tests/tokenizer_json_test.cpp.
#include "kvzip/text/unicode/properties.h"

#include <gtest/gtest.h>

#include "kvzip/text/unicode/newer_points.h"
#include "kvzip/text/unicode/utf8_append.h"

namespace kvzip {
namespace {

std::string lower(uint32_t point) {
  std::string out;
  append_lower_case(point, out);
  return out;
}

TEST(Properties, KnownCharacters) {
  for (const uint32_t space : {0x9U, 0x20U, 0x85U, 0xA0U, 0x1680U, 0x2028U, 0x3000U})
    EXPECT_TRUE(is_white_space(space));
  for (const uint32_t other : {0x0U, 0x180EU, 0x200BU, 0xFEFFU}) EXPECT_FALSE(is_white_space(other));
  EXPECT_TRUE(is_numeric(0xBD) && is_numeric(0x2167) && is_numeric(0x11DE0));
  EXPECT_TRUE(is_word('_') && is_word(0x200D) && is_word(0x301) && !is_word(0xBD));
  EXPECT_TRUE(is_punctuation('$') && is_punctuation(0xBF) && !is_punctuation(0x20AC) && !is_punctuation(0x2E4F));
  EXPECT_TRUE(is_nonspacing_mark(0x301) && !is_nonspacing_mark(0x903));
  EXPECT_TRUE(is_combining_mark(0x903) && !is_combining_mark('a'));
  EXPECT_TRUE(is_control(0xAD) && is_control(0xE000) && !is_control(0x378));
  EXPECT_TRUE(is_chinese(0x4E00) && !is_chinese(0x3042));
  EXPECT_EQ(script_number(0x3042), script_number(0x4E00));
  EXPECT_NE(script_number('a'), script_number(0x430));
  EXPECT_EQ(script_number(' '), -1);
}

TEST(Properties, LowerCases) {
  EXPECT_EQ(lower('A'), "a");
  EXPECT_EQ(lower('['), "[");
  EXPECT_EQ(lower(0x3A3), "\u03C3");
  EXPECT_EQ(lower(0x130), "i\u0307");
  EXPECT_EQ(lower(0x1C89), "\u1C8A");
  EXPECT_EQ(lower(0x10D51), "\U00010D71");
}

TEST(NewerPoints, AreFoundInText) {
  uint32_t last = 0;
  for (const NewerPoints& range : newer_points()) {
    EXPECT_LT(last, range.first);
    EXPECT_LE(range.first, range.last);
    last = range.last;
    for (const uint32_t point : {range.first, range.last}) {
      std::string text = "a \u00E9\u4E2D\U0001F600";
      EXPECT_FALSE(has_newer_points(text));
      append_utf8(point, text);
      EXPECT_TRUE(has_newer_points(text)) << point;
    }
  }
}

TEST(Utf8Append, AllCharactersComeBack) {
  for (uint32_t point = 0; point < 0x110000; point += 13) {
    if (point >= 0xD800 && point < 0xE000) continue;
    std::string text;
    append_utf8(point, text);
    EXPECT_EQ(first_point(text + "x").point, point);
    EXPECT_EQ(first_point(text).length, text.size());
    EXPECT_EQ(last_point_begin("x" + text), 1U);
  }
}

}  // namespace
}  // namespace kvzip
