#include "kvzip/model/gguf_reader.h"

#include <gtest/gtest.h>

namespace kvzip {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

TEST(ByteReader, ReadsUnalignedLittleEndianNumbers) {
  ByteReader in("f", bytes_of(std::string_view("\x01\x02\x03\x04\x05\xff\xff\xff\xff", 9)));
  EXPECT_EQ(in.number<uint8_t>("a"), 1);
  EXPECT_EQ(in.number<uint32_t>("b"), 0x05040302U);
  EXPECT_EQ(in.number<int16_t>("c"), -1);
  EXPECT_EQ(in.offset(), 7U);
  EXPECT_EQ(in.remaining(), 2U);
}

TEST(ByteReader, NeverReadsPastTheEnd) {
  ByteReader in("f", bytes_of("abc"));
  EXPECT_THROW(in.number<uint32_t>("n"), Error);
  EXPECT_THROW(in.take(uint64_t{1} << 62, 16, "product that wraps to 0"), Error);
  EXPECT_THROW(in.take(~uint64_t{0}, 1, "most"), Error);
  EXPECT_EQ(in.offset(), 0U) << "a failed read moves nothing";
  EXPECT_EQ(in.take(3, 1, "all").size(), 3U);
  EXPECT_EQ(in.take(0, 8, "nothing").size(), 0U);
  try {
    in.number<uint8_t>("last");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "f: field last: expected 1 x 1 bytes at offset 3, found 0 bytes to the end of the file");
    EXPECT_EQ(error.code(), ErrorCode::input);
  }
}

TEST(ByteReader, Strings) {
  const std::string file =
      std::string("\x02\0\0\0\0\0\0\0hi", 10) + std::string(8, '\0') + std::string("\x09\0\0\0\0\0\0\0x", 9);
  ByteReader in("f", bytes_of(file));
  EXPECT_EQ(in.take_strings(2, "pair").size(), 18U);
  EXPECT_THROW(in.string("long"), Error);
  ByteReader again("f", bytes_of(file));
  EXPECT_EQ(again.string("first"), "hi");
  EXPECT_EQ(again.string("second"), "");
}

TEST(ByteReader, CountsAreBoundedByTheRestOfTheFile) {
  const std::string file = std::string("\x03\0\0\0\0\0\0\0", 8) + std::string(11, 'x');
  EXPECT_EQ(ByteReader("f", bytes_of(file)).count(3, "n"), 3U);
  EXPECT_THROW(ByteReader("f", bytes_of(file)).count(4, "n"), Error);
}

}  // namespace
}  // namespace kvzip
