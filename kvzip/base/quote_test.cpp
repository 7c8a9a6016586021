#include "kvzip/base/quote.h"

#include <gtest/gtest.h>

namespace kvzip {
namespace {

TEST(Quote, PrintableTextStays) {
  EXPECT_EQ(quote(""), "''");
  EXPECT_EQ(quote("blk.0 ~!"), "'blk.0 ~!'");
}

TEST(Quote, EverythingElseIsEscaped) {
  EXPECT_EQ(quote(std::string_view("a\n\0\x1b[m\x7f\xc3", 8)), "'a\\x0a\\x00\\x1b[m\\x7f\\xc3'");
}

TEST(Quote, LongTextIsCut) {
  EXPECT_EQ(quote("abcdef", 6), "'abcdef'");
  EXPECT_EQ(quote("abcdefg", 6), "'abcdef...'");
  EXPECT_LT(quote(std::string(1000000, '\xff')).size(), 400U);
}

}  // namespace
}  // namespace kvzip
