#include "kvzip/model/config.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>

#include "kvzip/base/error.h"
#include "kvzip/model/weights.h"
#include "tests/gguf_builder.h"

namespace kvzip {
namespace {

constexpr uint32_t kUint32 = 4;
constexpr uint32_t kFloat32 = 6;
constexpr uint32_t kTypeF32 = 0;

/// The hyperparameters of a small model; a test changes one of them.
struct Header {
  std::string arch = "llama";
  std::map<std::string, uint32_t> sizes = {{"block_count", 2},          {"embedding_length", 32},
                                           {"attention.head_count", 4}, {"attention.head_count_kv", 2},
                                           {"feed_forward_length", 48}, {"context_length", 512}};
  std::map<std::string, float> numbers = {{"rope.freq_base", 10000.0F}, {"attention.layer_norm_rms_epsilon", 1e-5F}};
  std::map<std::string, std::string> strings;

  std::string build(const std::function<void(GgufBuilder&)>& more = {}) const {
    GgufBuilder builder;
    builder.string("general.architecture", arch);
    for (const auto& [key, value] : sizes) builder.number(arch + "." + key, kUint32, value);
    for (const auto& [key, value] : numbers) builder.number(arch + "." + key, kFloat32, value);
    for (const auto& [key, value] : strings) builder.string(arch + "." + key, value);
    if (more) more(builder);
    return builder.build();
  }
};

ModelConfig read(const std::string& bytes) {
  return read_config(Gguf::from_bytes("m.gguf", std::as_bytes(std::span(bytes))));
}

void expect_error(ErrorCode code, const std::string& part, const std::function<void()>& action) {
  try {
    action();
    FAIL() << "expected an error with '" << part << "'";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

TEST(Config, ReadsAPlainModel) {
  const ModelConfig config = read(Header{}.build());
  EXPECT_EQ(config.arch->name, "llama");
  EXPECT_EQ(config.layers, 2U);
  EXPECT_EQ(config.head_dim, 8U);
  EXPECT_EQ(config.kv_heads, 2U);
  EXPECT_FLOAT_EQ(config.attention_scale, 1 / std::sqrt(8.0F));
  EXPECT_EQ(config.windows, (std::vector<size_t>{0, 0}));
}

TEST(Config, GemmaSlidesInAllButEverySixthLayer) {
  Header header{.arch = "gemma3", .strings = {}};
  header.sizes["block_count"] = 13;
  header.sizes["attention.sliding_window"] = 64;
  const ModelConfig config = read(header.build());
  for (size_t layer = 0; layer < 13; ++layer)
    EXPECT_EQ(config.windows[layer], layer == 5 || layer == 11 ? 0U : 64U) << layer;
  ASSERT_TRUE(config.local_rope);
  EXPECT_EQ(config.local_rope->base, 10000);
}

TEST(Config, NamesTheKeyThatIsMissingOrWrong) {
  for (const char* key :
       {"block_count", "embedding_length", "attention.head_count", "feed_forward_length", "context_length"}) {
    Header missing;
    missing.sizes.erase(key);
    expect_error(ErrorCode::input, key, [&] { read(missing.build()); });
    Header zero;
    zero.sizes[key] = 0;
    expect_error(ErrorCode::input, key, [&] { read(zero.build()); });
    Header huge;
    huge.sizes[key] = 0xFFFFFFFFU;
    if (std::string(key) != "context_length") expect_error(ErrorCode::input, key, [&] { read(huge.build()); });
  }
  Header heads;
  heads.sizes["attention.head_count_kv"] = 3;
  expect_error(ErrorCode::input, "multiple of the 3 KV heads", [&] { read(heads.build()); });
  Header width;
  width.sizes["embedding_length"] = 33;
  expect_error(ErrorCode::input, "embedding_length", [&] { read(width.build()); });
  Header base;
  base.numbers["rope.freq_base"] = -1;
  expect_error(ErrorCode::input, "rope.freq_base", [&] { read(base.build()); });
  Header odd;
  odd.sizes["rope.dimension_count"] = 7;
  expect_error(ErrorCode::input, "rope.dimension_count", [&] { read(odd.build()); });
}

TEST(Config, RefusesWhatItCannotRun) {
  expect_error(ErrorCode::unsupported, "found 'mamba'", [] { read(Header{.arch = "mamba", .strings = {}}.build()); });
  Header scaling;
  scaling.strings["rope.scaling.type"] = "longrope";
  expect_error(ErrorCode::unsupported, "longrope", [&] { read(scaling.build()); });
  Header values;
  values.sizes["attention.value_length"] = 4;
  expect_error(ErrorCode::unsupported, "value_length", [&] { read(values.build()); });
}

TEST(Config, ChecksTheDivisorsOfRope) {
  const auto with = [](const std::vector<float>& divisors) {
    return Header{}.build([&](GgufBuilder& builder) {
      const std::string_view bytes(reinterpret_cast<const char*>(divisors.data()), divisors.size() * sizeof(float));
      builder.tensor("rope_freqs.weight", {divisors.size()}, kTypeF32, bytes);
    });
  };
  EXPECT_EQ(read(with({1, 2, 4, 8})).rope.frequency_divisors, (std::vector<float>{1, 2, 4, 8}));
  expect_error(ErrorCode::input, "expected 4 f32 values", [&] { read(with({1, 2})); });
  expect_error(ErrorCode::input, "expected positive numbers", [&] { read(with({1, 2, 0, 8})); });
}

TEST(Weights, NamesTheTensorThatIsMissingOrOfTheWrongShape) {
  const auto backend = make_cpu_backend();
  const auto load = [&](const std::string& bytes) {
    const Gguf file = Gguf::from_bytes("m.gguf", std::as_bytes(std::span(bytes)));
    ModelConfig config = read_config(file);
    config.vocab = 3;
    load_weights(file, config, *backend, WeightOptions{});
  };
  expect_error(ErrorCode::input, "token_embd.weight", [&] { load(Header{}.build()); });
  const std::string data(size_t{32} * 4 * sizeof(float), '\0');
  const std::string wrong = Header{}.build([&](GgufBuilder& b) {
    b.tensor("token_embd.weight", {32, 4}, kTypeF32, data);
  });
  expect_error(ErrorCode::input, "tensor token_embd.weight: expected shape [32, 3], found [32, 4]",
               [&] { load(wrong); });
}

}  // namespace
}  // namespace kvzip
