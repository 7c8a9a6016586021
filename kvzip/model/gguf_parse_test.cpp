// Each way in which a GGUF header can be wrong gives an error that names the field.
#include "kvzip/model/gguf_parse.h"

#include <gtest/gtest.h>

#include <functional>
#include <ostream>
#include <string>

#include "tests/gguf_builder.h"

namespace kvzip {
namespace {

constexpr uint64_t kHuge = 1'000'000'000;
constexpr uint32_t kF32 = 0;
constexpr uint32_t kQ40 = 2;
constexpr uint32_t kUnknown = 99;

struct WrongFile {
  const char* name;
  std::function<std::string()> make;
  const char* message;  ///< after the file's name; the beginning will do
  ErrorCode code = ErrorCode::input;
};

std::string name_of(const testing::TestParamInfo<WrongFile>& wrong) { return wrong.param.name; }

std::ostream& operator<<(std::ostream& out, const WrongFile& wrong) { return out << wrong.name; }

class GgufWrong : public testing::TestWithParam<WrongFile> {};

TEST_P(GgufWrong, IsRejectedByName) {
  const std::string file = GetParam().make();
  try {
    parse_gguf("t", std::as_bytes(std::span(file)));
    FAIL() << "expected: " << GetParam().message;
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()).find(std::string("t: field ") + GetParam().message), 0U) << error.what();
    EXPECT_EQ(error.code(), GetParam().code);
  }
}

GgufBuilder claiming(uint64_t extra_tensors, uint64_t extra_values, uint32_t version = 3) {
  GgufBuilder builder;
  builder.extra_tensors = extra_tensors;
  builder.extra_values = extra_values;
  builder.version = version;
  return builder;
}

std::string with_alignment(uint32_t alignment) {
  return GgufBuilder().number("general.alignment", 4, alignment).tensor("w", {1}, kF32, "abcd").build();
}

/// A tensor "w" besides one of 64 bytes at offset 0; 128 bytes of data in all.
std::string with_tensor(const std::vector<uint64_t>& shape, uint32_t type, uint64_t offset = 64) {
  const std::string data(64, 'x');
  return GgufBuilder().tensor("a", {16}, kF32, data).describe_tensor("w", shape, type, offset).build() + data;
}

const WrongFile kWrongStarts[] = {
    {"NoMagic", [] { return std::string("GG"); }, "magic: expected 4 x 1 bytes at offset 0, found 2 bytes to the end"},
    {"Magic", [] { return "GGML" + GgufBuilder().build().substr(4); }, "magic: expected 'GGUF', found 'GGML'"},
    {"VersionOne", [] { return claiming(0, 0, 1).build(); }, "version: expected 2 or 3, little-endian, found 1",
     ErrorCode::unsupported},
    {"VersionFour", [] { return claiming(0, 0, 4).build(); }, "version: expected 2 or 3, little-endian, found 4",
     ErrorCode::unsupported},
    {"BigEndian", [] { return claiming(0, 0, 0x03000000).build(); },
     "version: expected 2 or 3, little-endian, found a big-endian file", ErrorCode::unsupported},
    {"NoCounts", [] { return GgufBuilder().build().substr(0, 12); }, "tensor_count: expected 1 x 8 bytes at offset 8"},
    {"ManyTensors", [] { return claiming(kHuge, 0).build(); }, "tensor_count: expected at most"},
    {"ManyValues", [] { return claiming(0, kHuge).build(); }, "metadata_kv_count: expected at most 0"},
    {"MostValues", [] { return claiming(0, ~uint64_t{0}).build(); }, "metadata_kv_count: expected at most 0"},
    {"OneValueMore", [] { return claiming(0, 1).string("k", std::string(50, 'x')).build(); },
     "key of metadata entry 1: expected 1 x 8 bytes"},
    {"OneTensorMore", [] { return claiming(1, 0).build() + std::string(32, '\0'); }, "shape of tensor ''"},
};
INSTANTIATE_TEST_SUITE_P(Start, GgufWrong, testing::ValuesIn(kWrongStarts), name_of);

const WrongFile kWrongValues[] = {
    {"Type", [] { return GgufBuilder().number("k", 13, uint64_t{0}).build(); },
     "'k': expected a value type from 0 to 12, found type 13"},
    {"ElementType", [] { return GgufBuilder().begin_array("k", 77, 0).build(); },
     "'k': expected a value type from 0 to 12, found type 77"},
    {"Nested", [] { return GgufBuilder().begin_array("k", 9, 1).build(); },
     "'k': expected an array of plain values, found an array of arrays", ErrorCode::unsupported},
    {"LongArray", [] { return GgufBuilder().begin_array("k", 4, kHuge).build(); },
     "'k': expected 1000000000 x 4 bytes at offset"},
    {"OverflowingArray", [] { return GgufBuilder().begin_array("k", 10, uint64_t{1} << 61).build(); },
     "'k': expected 2305843009213693952 x 8 bytes"},
    {"ManyStrings", [] { return GgufBuilder().begin_array("k", 8, kHuge).build(); }, "'k': expected 1 x 8 bytes"},
    {"LongString", [] { return GgufBuilder().number("k", 8, ~uint64_t{0}).build(); },
     "'k': expected 18446744073709551615 x 1 bytes"},
    {"LongStringInArray",
     [] {
       return GgufBuilder().numbers<uint64_t>("k", 8, {0, uint64_t{1} << 63}).build();
     },
     "'k': expected 9223372036854775808 x 1 bytes"},
    {"Bool", [] { return GgufBuilder().number("k", 7, uint8_t{2}).build(); },
     "'k': expected booleans of 0 or 1, found 2"},
    {"BoolInArray",
     [] {
       return GgufBuilder().numbers<uint8_t>("k", 7, {1, 0, 255}).build();
     },
     "'k': expected booleans of 0 or 1, found 255"},
    {"Twice", [] { return GgufBuilder().string("k", "1").string("other", "2").number("k", 4, uint32_t{3}).build(); },
     "'k': expected one value, found a second one"},
    {"ControlCharactersInKey", [] { return GgufBuilder().number("a\n\x1b", 13, uint8_t{0}).build(); },
     "'a\\x0a\\x1b': expected a value type"},
    {"AlignmentZero", [] { return with_alignment(0); },
     "'general.alignment': expected a power of two from 8 to 65536, found 0"},
    {"AlignmentFour", [] { return with_alignment(4); },
     "'general.alignment': expected a power of two from 8 to 65536, found 4"},
    {"AlignmentOdd", [] { return with_alignment(48); },
     "'general.alignment': expected a power of two from 8 to 65536, found 48"},
    {"AlignmentHuge", [] { return with_alignment(uint32_t{1} << 31); },
     "'general.alignment': expected a power of two from 8 to 65536, found 2147483648"},
    {"AlignmentText", [] { return GgufBuilder().string("general.alignment", "32").build(); },
     "'general.alignment': expected an integer, found string"},
};
INSTANTIATE_TEST_SUITE_P(Value, GgufWrong, testing::ValuesIn(kWrongValues), name_of);

const WrongFile kWrongTensors[] = {
    {"NoDims", [] { return with_tensor({}, kF32); }, "shape of tensor 'w': expected 1 to 4 dimensions, found 0"},
    {"FiveDims",
     [] {
       return with_tensor({1, 1, 1, 1, 1}, kF32);
     },
     "shape of tensor 'w': expected 1 to 4 dimensions, found 5"},
    {"ZeroDim",
     [] {
       return with_tensor({4, 0}, kF32);
     },
     "shape of tensor 'w': expected dimensions of at least 1, found 0"},
    {"OverflowingShape",
     [] {
       return with_tensor({uint64_t{1} << 32, uint64_t{1} << 32}, kF32);
     },
     "shape of tensor 'w': expected a shape of fewer than 2^63 values"},
    {"OverflowingBytes",
     [] {
       return with_tensor({uint64_t{1} << 31, uint64_t{1} << 31}, kF32);
     },
     "shape of tensor 'w': expected 4611686018427387904 blocks of 4 bytes (f32) in the file, found 64 bytes"},
    {"OneValueTooMany", [] { return with_tensor({17}, kF32); },
     "shape of tensor 'w': expected 17 blocks of 4 bytes (f32) in the file, found 64 bytes to its end"},
    {"PartOfABlock", [] { return with_tensor({33}, kQ40); },
     "shape of tensor 'w': expected rows of a multiple of 32 values (q4_0), found 33"},
    {"Twice", [] { return GgufBuilder().tensor("w", {1}, kF32, "abcd").tensor("w", {1}, kF32, "abcd").build(); },
     "tensor 'w': expected one description, found a second one"},
    {"OddOffset", [] { return with_tensor({1}, kF32, 65); },
     "offset of tensor 'w': expected a multiple of 32, found 65"},
    {"OffsetAtEnd", [] { return with_tensor({1}, kF32, 128); }, "offset of tensor 'w': expected less than 128"},
    {"OffsetFar", [] { return with_tensor({1}, kF32, uint64_t{1} << 63); },
     "offset of tensor 'w': expected less than 128"},
    {"UnknownBeyondEnd", [] { return with_tensor({1}, kUnknown, 128); },
     "offset of tensor 'w': expected less than 128"},
    {"SameData", [] { return with_tensor({1}, kF32, 0); }, "offset of tensor"},
    {"Overlap", [] { return with_tensor({8}, kF32, 32); },
     "offset of tensor 'w': expected data of its own, found data shared with tensor 'a'"},
    {"UnknownOverlap", [] { return with_tensor({8}, kUnknown, 32); },
     "offset of tensor 'w': expected data of its own, found data shared with tensor 'a'"},
    {"NoData", [] { return GgufBuilder().describe_tensor("w", {1}, kF32, 0).build(); },
     "offset of tensor 'w': expected less than 0"},
};
INSTANTIATE_TEST_SUITE_P(Tensor, GgufWrong, testing::ValuesIn(kWrongTensors), name_of);

TEST(GgufParse, WhatTheCasesVaryIsCorrectByItself) {
  const std::string file = with_tensor({16}, kF32);
  EXPECT_EQ(parse_gguf("t", std::as_bytes(std::span(file))).tensors.size(), 2U);
  const std::string aligned = with_alignment(32);
  EXPECT_EQ(parse_gguf("t", std::as_bytes(std::span(aligned))).values.size(), 1U);
}

TEST(GgufParse, EveryTruncationIsRejected) {
  const std::string file = GgufBuilder()
                               .strings("tokens", {"a", "bc"})
                               .numbers<float>("scores", 6, {1, 2})
                               .tensor("w", {2, 3}, kF32, std::string(24, 'w'))
                               .build();
  for (size_t size = 0; size < file.size(); ++size) {
    const std::string cut = file.substr(0, size);
    EXPECT_THROW(parse_gguf("t", std::as_bytes(std::span(cut))), Error) << size;
  }
  EXPECT_NO_THROW(parse_gguf("t", std::as_bytes(std::span(file))));
}

TEST(GgufParse, EveryByteMayBeAnything) {
  std::string file = GgufBuilder()
                         .strings("tokens", {"a", "bc"})
                         .number("general.alignment", 4, uint32_t{32})
                         .tensor("w", {2, 3}, kF32, std::string(24, 'w'))
                         .tensor("v", {64}, kQ40, std::string(36, 'v'))
                         .build();
  size_t rejected = 0;
  for (char& byte : file) {
    const char before = byte;
    for (int value = 0; value < 256; ++value) {
      byte = static_cast<char>(value);
      try {
        parse_gguf("t", std::as_bytes(std::span(file)));
      } catch (const Error&) {
        ++rejected;
      }
    }
    byte = before;
  }
  EXPECT_GT(rejected, 10000U);
}

}  // namespace
}  // namespace kvzip
