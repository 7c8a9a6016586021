// Attention maps against PyTorch's: encoders and decoders, with and without a window, and parts of a text.
#include "kvzip/stages/attention_maps.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "kvzip/base/error.h"
#include "kvzip/model/safetensors.h"
#include "tests/hf_builder.h"

namespace kvzip {
namespace {

using nlohmann::json;

std::string tiny(const std::string& name) { return KVZIP_SOURCE_DIR "/tests/golden/tiny/" + name; }

std::vector<float> floats(const SafetensorsFile& file, const std::string& name) {
  const auto& data = file.arrays.at(name).data;
  std::vector<float> values(data.size() / sizeof(float));
  std::memcpy(values.data(), data.data(), data.size());
  return values;
}

void expect_equal(const AttentionMaps& maps, const std::vector<float>& expected, const std::string& what) {
  ASSERT_EQ(maps.weights.size(), expected.size()) << what;
  double largest = 0;
  for (size_t i = 0; i < expected.size(); ++i)
    largest = std::max<double>(largest, std::fabs(maps.weights[i] - expected[i]));
  EXPECT_LE(largest, 1e-5) << what;
}

struct Loaded {
  std::unique_ptr<Backend> backend = make_cpu_backend();
  Model model;
  explicit Loaded(const std::string& name) : model(load(*backend, name)) {}
  static Model load(Backend& backend, const std::string& name) {
    backend.set_precision(Precision::exact);
    return Model::load(tiny(name), backend);
  }
};

class EncoderAttention : public testing::TestWithParam<const char*> {};

TEST_P(EncoderAttention, IsPyTorchs) {
  const Loaded loaded(GetParam());
  const SafetensorsFile golden = read_safetensors(tiny(GetParam()) + "/golden.safetensors");
  size_t index = 0;
  for (const json& one : json::parse(read_bytes(tiny(GetParam()) + "/golden.json"))) {
    const AttentionMaps maps = attention_maps(loaded.model, {one["ids"], one["types"]}, {.kv_type = DType::f32});
    expect_equal(maps, floats(golden, "attention_" + std::to_string(index++)), one["first"]);
  }
}

INSTANTIATE_TEST_SUITE_P(Folders, EncoderAttention, testing::Values("bert", "bert_older"),
                         [](const auto& name) { return std::string(name.param); });

class DecoderAttention : public testing::TestWithParam<const char*> {
 protected:
  Loaded loaded_{GetParam()};
  SafetensorsFile golden_ = read_safetensors(tiny(GetParam()) + "/attention.safetensors");
  EncoderInput input_ = {[this] {
                           const std::vector<float> ids = floats(golden_, "ids");
                           return std::vector<TokenId>(ids.begin(), ids.end());
                         }(),
                         {}};
};

TEST_P(DecoderAttention, IsPyTorchs) {
  expect_equal(attention_maps(loaded_.model, input_, {.kv_type = DType::f32}), floats(golden_, "attention"),
               GetParam());
}

// What comes before the range was read by another pass, and sliding layers have dropped some of it.
TEST_P(DecoderAttention, OfAPartIsThatPartOfAll) {
  const std::vector<float> all = floats(golden_, "attention");
  const size_t len = input_.ids.size(), first = 53, end = 60;
  const AttentionMaps maps = attention_maps(loaded_.model, input_, {.first = first, .end = end, .kv_type = DType::f32});
  ASSERT_EQ(maps.len, end - first);
  std::vector<float> expected;
  for (size_t map = 0; map < maps.layers * maps.heads; ++map) {
    for (size_t query = first; query < end; ++query) {
      const auto row = all.begin() + static_cast<std::ptrdiff_t>((map * len + query) * len);
      expected.insert(expected.end(), row + first, row + end);
    }
  }
  expect_equal(maps, expected, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Folders, DecoderAttention, testing::Values("llama", "gemma3"),
                         [](const auto& name) { return std::string(name.param); });

void expect_error(const Model& model, const EncoderInput& input, const AttentionOptions& options,
                  const std::string& message) {
  try {
    attention_maps(model, input, options);
    FAIL() << "expected: " << message;
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(message), std::string::npos) << error.what();
  }
}

TEST(AttentionMaps, NamesWhatDoesNotFit) {
  const Loaded bert("bert"), llama("llama");
  const EncoderInput ten{std::vector<TokenId>(10, 41), {}};
  expect_error(llama.model, ten, {.first = 10}, "expected a range among the text's 10, found 10:10");
  expect_error(llama.model, ten, {.first = 2, .end = 11}, "found 2:11");
  expect_error(llama.model, {}, {}, "found 0:0");
  expect_error(bert.model, {std::vector<TokenId>(65, 41), {}}, {}, "at most the 64 of the model's context, found 65");
  expect_error(bert.model, ten, {.most = 12 * 81}, "at most 9 for the maps of 12 heads, found 10");
  EXPECT_EQ(attention_maps(bert.model, ten, {.most = 12 * 100}).len, 10U);
  expect_error(llama.model, ten, {.progress = [](const Progress&) { return false; }}, "cancelled");
}

}  // namespace
}  // namespace kvzip
