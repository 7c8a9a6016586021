#include "kvzip/text/require_text.h"

#include <gtest/gtest.h>

#include <string>

#include "kvzip/base/error.h"

namespace kvzip {
namespace {

std::string refusal(std::string_view text) {
  try {
    require_text("a.txt", text);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::input);
    return error.what();
  }
  return "";
}

TEST(RequireText, RefusesWhatIsNone) {
  for (const char* blank : {"", " ", "\r\n\t \v\f", "\u3000\u00A0\u2028"})
    EXPECT_EQ(refusal(blank), "a.txt: expected text, found none");
  using namespace std::string_view_literals;
  EXPECT_EQ(refusal("text\0more\0"sv), "a.txt: expected text, found a binary file (a zero byte at offset 4)");
  EXPECT_EQ(refusal("\0"sv), "a.txt: expected text, found a binary file (a zero byte at offset 0)");
}

TEST(RequireText, TakesWhatHasALetter) {
  for (const char* text : {"a", "  \n.", "\u3000\u3042", "\xFF\xFE"}) EXPECT_EQ(refusal(text), "");
}

}  // namespace
}  // namespace kvzip
