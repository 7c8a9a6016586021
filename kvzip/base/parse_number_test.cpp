#include "kvzip/base/parse_number.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace kvzip {
namespace {

TEST(ParseNumber, TakesAllOfTheTextOrNothing) {
  EXPECT_EQ(parse_number<size_t>("0"), 0U);
  EXPECT_EQ(parse_number<size_t>("18446744073709551615"), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(parse_number<int>("-7"), -7);
  EXPECT_EQ(parse_number<uint32_t>("fF", 16), 255U);
  EXPECT_EQ(parse_number<double>("0.25"), 0.25);
  EXPECT_EQ(parse_number<double>("1e-3"), 1e-3);
  for (const char* text : {"", " 1", "1 ", "+1", "-1", "1.5", "0x1", "18446744073709551616", "a"}) {
    EXPECT_EQ(parse_number<size_t>(text), std::nullopt) << text;
  }
  for (const char* text : {"", "1,5", "1e999", "0.5x", "."}) EXPECT_EQ(parse_number<double>(text), std::nullopt);
  EXPECT_EQ(parse_number<uint32_t>("fg", 16), std::nullopt);
}

}  // namespace
}  // namespace kvzip
