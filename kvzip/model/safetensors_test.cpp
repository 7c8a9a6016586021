#include "kvzip/model/safetensors.h"

#include <gtest/gtest.h>

#include <cstring>
#include <ostream>

#include "kvzip/base/error.h"
#include "tests/test_paths.h"

namespace kvzip {
namespace {

std::string file_of(const std::string& header, const std::string& data) {
  const uint64_t length = header.size();
  std::string file(sizeof(length), '\0');
  std::memcpy(file.data(), &length, sizeof(length));
  return file + header + data;
}

SafetensorsArrays parse(const std::string& file) { return parse_safetensors("t", std::as_bytes(std::span(file))); }

std::string text_of(const SafetensorsArray& array) {
  return {reinterpret_cast<const char*>(array.data.data()), array.data.size()};
}

TEST(Safetensors, ReadsEveryDtypeInAnyOrder) {
  const std::string file = file_of(R"({"__metadata__":{"format":"pt","note":"x"},)"
                                   R"("b":{"dtype":"F16","shape":[1,3],"data_offsets":[8,14]},)"
                                   R"("a":{"data_offsets":[0,8],"shape":[],"dtype":"I64"},)"
                                   R"("c":{"dtype":"BF16","shape":[2],"data_offsets":[14,18]},)"
                                   R"("none":{"dtype":"F32","shape":[0,7],"data_offsets":[18,18]},)"
                                   R"("d":{"dtype":"U8","shape":[1],"data_offsets":[18,19]},)"
                                   R"("e\n\"":{"dtype":"I32","shape":[1,1,1],"data_offsets":[19,23]}}   )",
                                   "aaaaaaaabbbbbbccccdeeee");
  const SafetensorsArrays arrays = parse(file);
  ASSERT_EQ(arrays.size(), 6U);
  EXPECT_EQ(text_of(arrays.at("a")), "aaaaaaaa");
  EXPECT_TRUE(arrays.at("a").shape.empty());
  EXPECT_EQ(text_of(arrays.at("b")), "bbbbbb");
  EXPECT_EQ(arrays.at("b").shape, (std::vector<uint64_t>{1, 3}));
  EXPECT_EQ(arrays.at("b").dtype, "F16");
  EXPECT_EQ(text_of(arrays.at("c")), "cccc");
  EXPECT_EQ(text_of(arrays.at("d")), "d");
  EXPECT_EQ(text_of(arrays.at("e\n\"")), "eeee");
  EXPECT_EQ(arrays.at("none").data.size(), 0U);
}

TEST(Safetensors, KnowsTheSizesOfAllTypesAndPassesOverOthers) {
  const auto one = [](const std::string& dtype, int values, size_t bytes) {
    const std::string header = R"({"a":{"dtype":")" + dtype + R"(","shape":[)" + std::to_string(values) +
                               R"(],"data_offsets":[0,)" + std::to_string(bytes) + "]}}";
    return parse(file_of(header, std::string(bytes, 'x'))).at("a").data.size();
  };
  for (const char* dtype : {"BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0"}) EXPECT_EQ(one(dtype, 3, 3), 3U);
  for (const char* dtype : {"F16", "BF16", "I16", "U16"}) EXPECT_EQ(one(dtype, 3, 6), 6U);
  for (const char* dtype : {"F32", "I32", "U32"}) EXPECT_EQ(one(dtype, 3, 12), 12U);
  for (const char* dtype : {"F64", "I64", "U64", "C64"}) EXPECT_EQ(one(dtype, 3, 24), 24U);
  for (const char* dtype : {"F6_E2M3", "F6_E3M2"}) EXPECT_EQ(one(dtype, 4, 3), 3U);
  EXPECT_EQ(one("F4", 4, 2), 2U);
  EXPECT_EQ(one("Q5_OF_TOMORROW", 7, 5), 5U);
}

TEST(Safetensors, NothingAtAll) { EXPECT_TRUE(parse(file_of("{}", "")).empty()); }

struct WrongHeader {
  const char* name;
  const char* header;
  const char* data;
  const char* message;
  ErrorCode code = ErrorCode::input;
};

std::string name_of(const testing::TestParamInfo<WrongHeader>& wrong) { return wrong.param.name; }

std::ostream& operator<<(std::ostream& out, const WrongHeader& wrong) { return out << wrong.name; }

class SafetensorsWrong : public testing::TestWithParam<WrongHeader> {};

TEST_P(SafetensorsWrong, IsRejectedByName) {
  try {
    parse(file_of(GetParam().header, GetParam().data));
    FAIL() << "expected: " << GetParam().message;
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()).find(std::string("t: field ") + GetParam().message), 0U) << error.what();
    EXPECT_EQ(error.code(), GetParam().code);
  }
}

const WrongHeader kWrong[] = {
    {"NotJson", "{", "", "header: expected JSON, found an error at byte"},
    {"Empty", "", "", "header: expected JSON"},
    {"Trailing", "{} {}", "", "header: expected JSON"},
    {"InvalidUtf8", "{\"\xff\":1}", "", "header: expected JSON"},
    {"HugeNumber", R"({"a":{"shape":[1e999]}})", "", "header: expected JSON"},
    {"List", "[]", "", "header: expected an object of arrays"},
    {"Number", "7", "", "header: expected an object of arrays"},
    {"EntryIsNumber", R"({"a":7})", "", "'a': expected an object of arrays"},
    {"EntryIsText", R"({"a":"F32"})", "", "'a': expected an object of arrays"},
    {"UnknownKey", R"({"a":{"kind":1}})", "", "'kind' of 'a': expected dtype, shape or data_offsets"},
    {"MissingKey", R"({"a":{"dtype":"U8","shape":[0]}})", "", "'shape' of 'a': expected dtype, shape and data_offsets"},
    {"EmptyEntry", R"({"a":{}})", "", "'a': expected dtype, shape and data_offsets"},
    {"EntryTwice", R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{}})", "",
     "'a': expected one entry, found a second one"},
    {"KeyTwice", R"({"a":{"dtype":"U8","dtype":"U8"}})", "", "'dtype' of 'a': expected one value, found a second one"},
    {"MetadataTwice", R"({"__metadata__":{},"__metadata__":{}})", "", "'__metadata__': expected one entry"},
    {"MetadataNested", R"({"__metadata__":{"x":[1]}})", "", "'x' of '__metadata__': expected an object of arrays"},
    {"MetadataNumber", R"({"__metadata__":{"x":1}})", "", "'x' of '__metadata__': expected an object of arrays"},
    {"DtypeIsList", R"({"a":{"dtype":["U8"]}})", "", "'dtype' of 'a': expected an object of arrays"},
    {"ShapeIsText", R"({"a":{"shape":"8"}})", "", "'shape' of 'a': expected an object of arrays"},
    {"ShapeNested", R"({"a":{"shape":[[1]]}})", "", "'shape' of 'a': expected an object of arrays"},
    {"ShapeOfObjects", R"({"a":{"shape":[{}]}})", "", "'shape' of 'a': expected an object of arrays"},
    {"NegativeExtent", R"({"a":{"shape":[-1]}})", "", "'shape' of 'a': expected an object of arrays"},
    {"FractionalExtent", R"({"a":{"shape":[1.5]}})", "", "'shape' of 'a': expected an object of arrays"},
    {"NineDims", R"({"a":{"shape":[1,1,1,1,1,1,1,1,1]}})", "", "'shape' of 'a': expected an object of arrays"},
    {"OneOffset", R"({"a":{"data_offsets":[1]}})", "", "'data_offsets' of 'a': expected two numbers, found 1"},
    {"PartOfAByte", R"({"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}})", "xy",
     "'a': expected a shape of whole bytes"},
    {"FractionalType", R"({"a":{"dtype":"F6_E2M3","shape":[4],"data_offsets":[0,4]}})", "wxyz",
     "'a': expected 3 bytes"},
    {"UnknownDtypeBackwards", R"({"a":{"dtype":"Q","shape":[1],"data_offsets":[1,0]}})", "x",
     "'a': expected data_offsets"},
    {"Backwards", R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}})", "x",
     "'a': expected data_offsets in order"},
    {"BeyondEnd", R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})", "x",
     "'a': expected data_offsets in order"},
    {"OverflowingShape", R"({"a":{"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,0]}})", "",
     "'a': expected a shape of"},
    {"ShapeTooSmall", R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,2]}})", "xy",
     "'a': expected 1 bytes of data for its shape, found 2"},
    {"Hole",
     R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}})",
     "xyz", "data_offsets: expected an array that begins at byte 1, found one at 2"},
    {"Overlap",
     R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
     "xyz", "data_offsets: expected an array that begins at byte 2, found one at 1"},
    {"Rest", R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "xy",
     "data_offsets: expected arrays of 2 bytes in all, found 1"},
    {"OnlyRest", "{}", "x", "data_offsets: expected arrays of 1 bytes in all, found 0"},
};
INSTANTIATE_TEST_SUITE_P(Header, SafetensorsWrong, testing::ValuesIn(kWrong), name_of);

TEST(Safetensors, HeaderLengthIsChecked) {
  EXPECT_THROW(parse(""), Error);
  EXPECT_THROW(parse("1234567"), Error);
  EXPECT_THROW(parse(file_of("{}", "").substr(0, 9)), Error);
  EXPECT_THROW(parse(std::string(8, '\xff') + "{}"), Error);
}

TEST(Safetensors, DeepNestingEndsAtOnce) {
  EXPECT_THROW(parse(file_of(std::string(1000000, '['), "")), Error);
  std::string objects;
  for (int i = 0; i < 100000; ++i) objects += R"({"a":)";
  EXPECT_THROW(parse(file_of(objects, "")), Error);
}

TEST(Safetensors, EveryByteMayBeAnything) {
  std::string file = file_of(
      R"({"a":{"dtype":"U8","shape":[1,1],"data_offsets":[0,1]},"b":{"dtype":"F16","shape":[1],"data_offsets":[1,3]}})",
      "xyz");
  size_t rejected = 0;
  for (char& byte : file) {
    const char before = byte;
    for (int value = 0; value < 256; ++value) {
      byte = static_cast<char>(value);
      try {
        parse(file);
      } catch (const Error&) {
        ++rejected;
      }
    }
    byte = before;
  }
  EXPECT_GT(rejected, 10000U);
}

TEST(Safetensors, AnAbsentFileIsAnError) {
  const TempFolder folder;
  EXPECT_THROW(read_safetensors(folder.file("absent")), Error);
}

}  // namespace
}  // namespace kvzip
