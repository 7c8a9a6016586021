#include "kvzip/text/utf8.h"

#include <gtest/gtest.h>

#include <unordered_set>
#include <vector>

#include "kvzip/text/test_text.h"
#include "kvzip/text/unicode/utf8_append.h"

namespace kvzip {
namespace {

/// Every proper start of every character, and every character: the definition itself, enumerated.
struct AllCharacters {
  std::unordered_set<std::string> starts;
  std::unordered_set<std::string> whole;
  AllCharacters() {
    for (uint32_t point = 0; point < 0x110000; ++point) {
      if (point >= 0xD800 && point < 0xE000) continue;
      std::string text;
      append_utf8(point, text);
      whole.insert(text);
      for (size_t length = 1; length < text.size(); ++length) starts.insert(text.substr(0, length));
    }
  }
};

TEST(Utf8, StepAgreesWithAnEnumerationOfAllCharacters) {
  const AllCharacters all;
  Random random(1);
  const std::string frequent(
      "\x00\x41\x7F\x80\x8F\x90\x9F\xA0\xBF\xC0\xC1\xC2\xDF\xE0\xE1\xEC\xED\xEE\xEF\xF0\xF1\xF3\xF4\xF5\xFF", 25);
  for (int round = 0; round < 200'000; ++round) {
    const std::string text = random.of(frequent, 1 + random.number(5));
    const Utf8Step step = utf8_step(text);
    size_t longest = 0;  // of the starts that are found in the text
    bool is_whole = false;
    for (size_t length = 1; length <= text.size(); ++length) {
      const std::string head = text.substr(0, length);
      if (all.whole.contains(head)) is_whole = true;
      if (is_whole || all.starts.contains(head)) longest = length;
      if (is_whole) break;
    }
    if (is_whole) {
      EXPECT_EQ(step.kind, Utf8Step::Kind::character);
    } else {
      EXPECT_EQ(step.kind, longest == text.size() ? Utf8Step::Kind::cut_off : Utf8Step::Kind::invalid);
    }
    ASSERT_EQ(step.length, std::max<size_t>(longest, 1)) << testing::PrintToString(text);
  }
}

TEST(Utf8, ValidLengthIsTheSumOfWholeCharacters) {
  Random random(2);
  for (int round = 0; round < 2000; ++round) {
    const std::string text =
        random.utf8(random.number(30)) + std::string(random.number(20), 'x') + random.bytes(random.number(4));
    size_t expected = 0;
    while (expected < text.size()) {
      const Utf8Step step = utf8_step(std::string_view(text).substr(expected));
      if (step.kind != Utf8Step::Kind::character) break;
      expected += step.length;
    }
    ASSERT_EQ(valid_utf8_length(text), expected);
  }
  EXPECT_EQ(valid_utf8_length(""), 0U);
}

}  // namespace
}  // namespace kvzip
