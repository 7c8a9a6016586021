#include "kvzip/text/byte_alphabet.h"

#include <gtest/gtest.h>

#include <set>

#include "kvzip/text/test_text.h"

namespace kvzip {
namespace {

TEST(ByteAlphabet, SpellsWellKnownBytes) {
  EXPECT_EQ(byte_spelling('a'), "a");
  EXPECT_EQ(byte_spelling(' '), "\u0120");
  EXPECT_EQ(byte_spelling('\n'), "\u010A");
  EXPECT_EQ(byte_spelling(0x00), "\u0100");
  EXPECT_EQ(byte_spelling(0x7F), "\u0121");
  EXPECT_EQ(byte_spelling(0xA0), "\u0142");
  EXPECT_EQ(byte_spelling(0xAD), "\u0143");
  EXPECT_EQ(byte_spelling(0xAE), "\u00AE");
  EXPECT_EQ(byte_spelling(0xFF), "\u00FF");
}

TEST(ByteAlphabet, EveryByteHasASpellingOfItsOwnAndComesBack) {
  std::set<std::string> spellings;
  std::string all;
  for (int byte = 0; byte < 256; ++byte) {
    all += static_cast<char>(byte);
    spellings.emplace(byte_spelling(static_cast<uint8_t>(byte)));
  }
  EXPECT_EQ(spellings.size(), 256U);
  std::string back = "before ";
  ASSERT_TRUE(append_spelled_bytes(spell_bytes(all), back));
  EXPECT_EQ(back, "before " + all);
}

TEST(ByteAlphabet, OtherTextIsRefused) {
  for (const char* text :
       {" ", "a b", "\u00A0", "\u00AD", "\u0144", "\u2581", "\U0001F600", "\x84\xA0", "\xC4", "x\xC4", "\xFF\xFF"}) {
    std::string out = "kept";
    EXPECT_FALSE(append_spelled_bytes(text, out)) << testing::PrintToString(text);
    EXPECT_EQ(out, "kept");
  }
}

}  // namespace
}  // namespace kvzip
