#include "kvzip/model/gguf.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <random>

#include "kvzip/base/error.h"
#include "tests/gguf_builder.h"
#include "tests/test_paths.h"

namespace kvzip {
namespace {

Gguf open_bytes(const std::string& file) { return Gguf::from_bytes("t.gguf", std::as_bytes(std::span(file))); }

/// The message of the kvzip::Error that `act` throws.
template <class Act>
std::string error_of(const Act& act, ErrorCode code = ErrorCode::input) {
  try {
    act();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "expected an error";
  return {};
}

TEST(Gguf, ScalarsOfEveryTypeRoundTrip) {
  for (const uint32_t version : {2U, 3U}) {
    GgufBuilder builder;
    builder.version = version;
    const std::string file = builder.number("u8", 0, uint8_t{200})
                                 .number("i8", 1, int8_t{-100})
                                 .number("u16", 2, uint16_t{60000})
                                 .number("i16", 3, int16_t{-30000})
                                 .number("u32", 4, uint32_t{4000000000})
                                 .number("i32", 5, int32_t{2000000000})
                                 .number("f32", 6, 1.5F)
                                 .number("yes", 7, uint8_t{1})
                                 .number("no", 7, uint8_t{0})
                                 .string("text", std::string_view("a\0b\xff", 4))
                                 .number("u64", 10, std::numeric_limits<uint64_t>::max())
                                 .number("i64", 11, int64_t{1} << 62)
                                 .number("f64", 12, 0.1)
                                 .build();
    const Gguf gguf = open_bytes(file);
    EXPECT_EQ(gguf.version(), version);
    EXPECT_EQ(gguf.path(), "t.gguf");
    EXPECT_EQ(gguf.file_bytes(), file.size());
    EXPECT_EQ(gguf.get_uint("u8"), 200U);
    EXPECT_EQ(gguf.get_uint("u16"), 60000U);
    EXPECT_EQ(gguf.get_uint("u32"), 4000000000U);
    EXPECT_EQ(gguf.get_uint("i32"), 2000000000U);
    EXPECT_EQ(gguf.get_uint("u64"), std::numeric_limits<uint64_t>::max());
    EXPECT_EQ(gguf.find_uint("i64"), uint64_t{1} << 62);
    EXPECT_EQ(gguf.get_float("f32"), 1.5);
    EXPECT_EQ(gguf.find_float("f64"), 0.1);
    EXPECT_EQ(gguf.find_bool("yes"), true);
    EXPECT_EQ(gguf.find_bool("no"), false);
    EXPECT_EQ(gguf.get_string("text"), std::string_view("a\0b\xff", 4));
    EXPECT_EQ(gguf.keys().size(), 13U);
    EXPECT_EQ(gguf.keys()[8], "no");
    EXPECT_TRUE(gguf.has("text"));
    EXPECT_FALSE(gguf.has("tex"));
    EXPECT_NE(error_of([&] { gguf.get_uint("i8"); }).find("'i8': expected no negative number, found -100"),
              std::string::npos);
  }
}

TEST(Gguf, ArraysRoundTrip) {
  const std::string file = GgufBuilder()
                               .strings("strings", {"", "a b", "\xe2\x82\xac"})
                               .numbers<int16_t>("i16", 3, {-5, 0, 32767})
                               .numbers<uint64_t>("u64", 10, {0, uint64_t{1} << 62})
                               .numbers<uint8_t>("bools", 7, {1, 0, 1})
                               .numbers<float>("f32", 6, {-0.5F, -std::numeric_limits<float>::infinity()})
                               .numbers<double>("f64", 12, {1e300})
                               .numbers<uint32_t>("empty", 4, {})
                               .build();
  const Gguf gguf = open_bytes(file);
  EXPECT_EQ(gguf.strings("strings"), (std::vector<std::string_view>{"", "a b", "\xe2\x82\xac"}));
  EXPECT_EQ(gguf.ints("i16"), (std::vector<int64_t>{-5, 0, 32767}));
  EXPECT_EQ(gguf.ints("u64"), (std::vector<int64_t>{0, int64_t{1} << 62}));
  EXPECT_EQ(gguf.ints("bools"), (std::vector<int64_t>{1, 0, 1}));
  EXPECT_EQ(gguf.floats("f32"), (std::vector<double>{-0.5, -std::numeric_limits<double>::infinity()}));
  EXPECT_EQ(gguf.floats("f64"), std::vector<double>{1e300});
  EXPECT_TRUE(gguf.ints("empty").empty());
  EXPECT_TRUE(gguf.strings("absent").empty());
  EXPECT_TRUE(gguf.floats("absent").empty());
  const std::string_view text = gguf.strings("strings")[1];
  EXPECT_TRUE(text.data() > file.data() && text.data() < file.data() + file.size()) << "not a view into the file";
}

TEST(Gguf, ValuesOfAnotherTypeAreErrors) {
  const std::string file = GgufBuilder()
                               .string("text", "x")
                               .number("number", 4, uint32_t{3})
                               .number("nan", 6, std::nanf(""))
                               .numbers<int32_t>("list", 5, {1, 2})
                               .numbers<uint64_t>("huge", 10, {~uint64_t{0}})
                               .numbers<float>("nans", 6, {0.F, std::nanf("")})
                               .build();
  const Gguf gguf = open_bytes(file);
  EXPECT_EQ(error_of([&] { gguf.find_uint("text"); }), "t.gguf: field 'text': expected an integer, found string");
  EXPECT_EQ(error_of([&] { gguf.find_uint("list"); }),
            "t.gguf: field 'list': expected an integer, found an array of 2 int32");
  EXPECT_EQ(error_of([&] { gguf.find_string("number"); }), "t.gguf: field 'number': expected a string, found uint32");
  EXPECT_EQ(error_of([&] { gguf.find_bool("number"); }), "t.gguf: field 'number': expected a bool, found uint32");
  EXPECT_EQ(error_of([&] { gguf.find_float("number"); }), "t.gguf: field 'number': expected a float, found uint32");
  EXPECT_EQ(error_of([&] { gguf.find_float("nan"); }), "t.gguf: field 'nan': expected a finite number, found nan");
  EXPECT_EQ(error_of([&] { gguf.ints("number"); }),
            "t.gguf: field 'number': expected an array of integers, found uint32");
  EXPECT_EQ(error_of([&] { gguf.floats("list"); }),
            "t.gguf: field 'list': expected an array of floats, found an array of 2 int32");
  EXPECT_EQ(error_of([&] { gguf.strings("list"); }),
            "t.gguf: field 'list': expected an array of strings, found an array of 2 int32");
  EXPECT_EQ(error_of([&] { gguf.ints("huge"); }),
            "t.gguf: field 'huge': expected integers of 63 bits, found 18446744073709551615");
  EXPECT_EQ(error_of([&] { gguf.floats("nans"); }), "t.gguf: field 'nans': expected numbers, found NaN at index 1");
  EXPECT_EQ(error_of([&] { gguf.get_float("absent"); }), "t.gguf: field 'absent': expected a float, found no such key");
  EXPECT_EQ(gguf.find_float("absent"), std::nullopt);
}

struct TypeCase {
  uint32_t id;
  DType dtype;
  uint64_t block_values;
  uint64_t block_bytes;
};

TEST(Gguf, TensorsOfEveryTypeAreFound) {
  const std::vector<TypeCase> cases = {
      {0, DType::f32, 1, 4},       {1, DType::f16, 1, 2},         {2, DType::q4_0, 32, 18},
      {3, DType::q4_1, 32, 20},    {6, DType::q5_0, 32, 22},      {7, DType::q5_1, 32, 24},
      {8, DType::q8_0, 32, 34},    {10, DType::q2_k, 256, 84},    {11, DType::q3_k, 256, 110},
      {12, DType::q4_k, 256, 144}, {13, DType::q5_k, 256, 176},   {14, DType::q6_k, 256, 210},
      {20, DType::iq4_nl, 32, 18}, {23, DType::iq4_xs, 256, 136}, {30, DType::bf16, 1, 2}};
  ASSERT_EQ(cases.size(), kDTypeCount);
  std::mt19937 random(1);
  for (const uint64_t alignment : {8U, 32U, 256U}) {
    GgufBuilder builder;
    builder.alignment = alignment;
    builder.number("general.alignment", 4, static_cast<uint32_t>(alignment));
    std::vector<std::string> data;
    for (const TypeCase& c : cases) {
      std::string bytes(3 * 5 * c.block_bytes, '\0');
      for (char& byte : bytes) byte = static_cast<char>(random());
      builder.tensor(fmt::format("t{}", c.id), {3 * c.block_values, 1, 5}, c.id, bytes);
      data.push_back(bytes);
    }
    const std::string file = builder.build();
    const Gguf gguf = open_bytes(file);
    ASSERT_EQ(gguf.tensor_names().size(), cases.size());
    for (size_t i = 0; i < cases.size(); ++i) {
      const std::string name = fmt::format("t{}", cases[i].id);
      EXPECT_EQ(gguf.tensor_names()[i], name);
      const StoredTensor tensor = gguf.tensor(name);
      EXPECT_EQ(tensor.name, name);
      EXPECT_EQ(tensor.dtype, cases[i].dtype);
      EXPECT_EQ(tensor.shape, (std::vector<uint64_t>{3 * cases[i].block_values, 1, 5}));
      ASSERT_EQ(tensor.data.size(), data[i].size());
      EXPECT_EQ(std::memcmp(tensor.data.data(), data[i].data(), data[i].size()), 0);
    }
  }
}

TEST(Gguf, UnknownTensorTypesAreOnlyAnErrorWhenAskedFor) {
  for (const uint32_t type : {4U, 9U, 16U, 24U, 39U, 0xffffffffU}) {
    const std::string file = GgufBuilder().tensor("odd", {7}, type, "??").tensor("fine", {1}, 0, "abcd").build();
    const Gguf gguf = open_bytes(file);
    EXPECT_EQ(gguf.tensor("fine").data.size(), 4U);
    EXPECT_TRUE(gguf.has_tensor("odd"));
    const std::string message = error_of([&] { gguf.tensor("odd"); }, ErrorCode::unsupported);
    EXPECT_NE(message.find("tensor 'odd'"), std::string::npos) << message;
    EXPECT_NE(message.find(fmt::format("ggml type {}", type)), std::string::npos) << message;
    EXPECT_EQ(error_of([&] { gguf.tensor("none"); }),
              "t.gguf: field tensor 'none': expected a tensor of that name, found none");
  }
}

TEST(Gguf, OpensAFileAndMoves) {
  const TempFolder folder;
  const std::string path = folder.file("small.gguf");
  GgufBuilder().string("general.name", "small").tensor("w", {2}, 0, "12345678").write(path);
  Gguf first = Gguf::open(path);
  Gguf second = Gguf::open(path);
  second = std::move(first);
  const Gguf gguf = std::move(second);
  EXPECT_EQ(gguf.path(), path);
  EXPECT_EQ(gguf.get_string("general.name"), "small");
  EXPECT_EQ(std::memcmp(gguf.tensor("w").data.data(), "12345678", 8), 0);
  EXPECT_NE(error_of([&] { Gguf::open(folder.file("absent")); }).find("absent"), std::string::npos);
  EXPECT_NE(error_of([&] { Gguf::open(folder.path()); }).find("folder"), std::string::npos);
}

/// Figures of the built-in model as the format's reference reader prints them.
TEST(Gguf, ReadsTheBuiltInModel) {
  const Gguf gguf = Gguf::open(default_model_path());
  EXPECT_EQ(gguf.get_string("general.architecture"), "llama");
  EXPECT_EQ(gguf.get_uint("llama.block_count"), 30U);
  EXPECT_EQ(gguf.get_float("llama.rope.freq_base"), 100000.0);
  EXPECT_EQ(gguf.find_bool("tokenizer.ggml.add_space_prefix"), false);
  const auto tokens = gguf.strings("tokenizer.ggml.tokens");
  ASSERT_EQ(tokens.size(), 49152U);
  EXPECT_EQ(tokens[1], "<|im_start|>");
  EXPECT_EQ(tokens.back(), "ectable");
  const auto kinds = gguf.ints("tokenizer.ggml.token_type");
  EXPECT_EQ(std::accumulate(kinds.begin(), kinds.end(), int64_t{0}), 49186);
  EXPECT_EQ(gguf.strings("tokenizer.ggml.merges").back(), "ect able");
  uint64_t bytes = 0;
  for (const std::string_view name : gguf.tensor_names()) bytes += gguf.tensor(name).data.size();
  EXPECT_EQ(gguf.tensor_names().size(), 272U);
  EXPECT_EQ(bytes, 96576768U);
  const StoredTensor values = gguf.tensor("blk.9.attn_v.weight");
  EXPECT_EQ(values.dtype, DType::q4_1);
  EXPECT_EQ(values.shape, (std::vector<uint64_t>{576, 192}));
  EXPECT_EQ(std::memcmp(values.data.data(), "\x0d\x2c\x60\xb7", 4), 0);
}

}  // namespace
}  // namespace kvzip
