#include "kvzip/text/formats/protobuf_reader.h"

#include <gtest/gtest.h>

#include "kvzip/base/error.h"
#include "kvzip/text/formats/protobuf_builder.h"

namespace kvzip {
namespace {

TEST(ProtobufReader, ReadsFieldsAndSkipsOthers) {
  const std::string inner = ProtobufBuilder().varint(7, 300).str();
  const std::string fixed64 = std::string(1, (6 << 3) | 1) + "12345678";
  const std::string bytes = ProtobufBuilder()
                                .varint(1, 0xFFFFFFFFFFFFFFFFU)
                                .bytes(100000, "skipped")
                                .raw(fixed64)
                                .float32(2, -1.5F)
                                .bytes(3, inner)
                                .varint(5, 1)
                                .float32(9, 0)
                                .varint(9, 2)
                                .str();
  ProtobufReader reader("f", bytes);
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.field(), 1U);
  EXPECT_EQ(reader.int32(), -1);
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.field(), 100000U);
  ASSERT_TRUE(reader.next());
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.float32(), -1.5F);
  ASSERT_TRUE(reader.next());
  ProtobufReader inside = reader.message("m");
  EXPECT_EQ(inside.name(), "f: m");
  ASSERT_TRUE(inside.next());
  EXPECT_EQ(inside.varint(), 300U);
  EXPECT_FALSE(inside.next());
  ASSERT_TRUE(reader.next());
  EXPECT_TRUE(reader.boolean());
  ASSERT_TRUE(reader.next());
  ASSERT_TRUE(reader.next());
  EXPECT_FALSE(reader.next());
}

std::string error_of(std::string_view bytes) {
  try {
    ProtobufReader reader("f", bytes);
    while (reader.next()) {
      if (reader.field() == 1) reader.varint();
      if (reader.field() == 2) reader.bytes();
      if (reader.field() == 3) reader.float32();
    }
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::input);
    return error.what();
  }
  return "";
}

TEST(ProtobufReader, WhatIsNoMessageIsAnError) {
  const auto tag = [](uint32_t field, uint32_t wire) {
    return ProtobufBuilder().raw_varint((field << 3U) | wire).str();
  };
  EXPECT_EQ(error_of(""), "");
  EXPECT_NE(error_of(tag(0, 0) + "a").find("number 0"), std::string::npos);
  EXPECT_NE(error_of(tag(1, 3)).find("type 3"), std::string::npos);
  EXPECT_NE(error_of(tag(1, 4)).find("type 4"), std::string::npos);
  EXPECT_NE(error_of(tag(1, 7)).find("type 7"), std::string::npos);
  EXPECT_NE(error_of(ProtobufBuilder().float32(1, 0).str()).find("field 1: expected wire type 0, found 5"),
            std::string::npos);
  EXPECT_NE(error_of(ProtobufBuilder().varint(2, 0).str()).find("wire type 2"), std::string::npos);
  EXPECT_NE(error_of(ProtobufBuilder().bytes(3, "abcd").str()).find("wire type 5"), std::string::npos);
  EXPECT_NE(error_of(tag(9, 0) + std::string(11, '\xFF')).find("longer than 10 bytes"), std::string::npos);
  for (const uint64_t length : {uint64_t{4}, uint64_t{1} << 31U, uint64_t{1} << 63U, ~uint64_t{0}}) {
    for (const uint32_t field : {2U, 9U}) {
      EXPECT_NE(error_of(ProtobufBuilder().raw(tag(field, 2)).raw_varint(length).raw("abc").str()).find("cut off"),
                std::string::npos);
    }
  }
  EXPECT_NE(error_of(tag(9, 1) + "1234567").find("cut off"), std::string::npos);
  EXPECT_NE(error_of(tag(3, 5) + "123").find("cut off"), std::string::npos);
}

}  // namespace
}  // namespace kvzip
