#include "kvzip/model/shapes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "kvzip/base/error.h"
#include "kvzip/model/forward.h"

namespace kvzip {
namespace {

TEST(ShapesTest, KnowTheSizesOfTheirModels) {
  const struct {
    const char* name;
    size_t layers, kv_heads, global_layers, context;
  } expected[] = {{"llama3.1-8b", 32, 8, 32, 131072},
                  {"qwen2.5-7b", 28, 4, 28, 1010000},
                  {"gemma3-1b", 26, 1, 4, 32768},
                  {"qwen3-0.6b", 28, 8, 28, 40960}};
  for (const auto& one : expected) {
    const ModelConfig config = shape_config(one.name, 0);
    EXPECT_EQ(config.layers, one.layers) << one.name;
    EXPECT_EQ(config.kv_heads, one.kv_heads) << one.name;
    EXPECT_EQ(std::ranges::count(config.windows, 0U), static_cast<std::ptrdiff_t>(one.global_layers)) << one.name;
    EXPECT_EQ(config.context_length, one.context) << one.name;
  }
}

TEST(ShapesTest, AreAllComplete) {
  for (const std::string_view name : shape_names()) {
    const ModelConfig config = shape_config(name, 1000);
    EXPECT_EQ(config.name, name);
    EXPECT_EQ(config.context_length, 1000U) << name;
    EXPECT_EQ(config.heads % config.kv_heads, 0U) << name;
    EXPECT_GT(config.rope.dims, 0U) << name;
  }
}

TEST(ShapesTest, RunWithRandomWeights) {
  const auto backend = make_cpu_backend();
  const Model model = Model::from_files(random_model_files("smollm2", 20000), *backend);
  EXPECT_EQ(model.config().context_length, 20000U);
  EXPECT_FALSE(model.has_tokenizer());
  Tail tail(*backend, model.cache_shape(DType::f16), 0);
  const std::vector<TokenId> ids = {1, 20, 300};
  Forward forward(model);
  const auto logits = forward.run({.tokens = ids, .tail = &tail, .logits = Logits::last});
  ASSERT_EQ(logits.size(), model.config().vocab);
  EXPECT_TRUE(std::ranges::all_of(logits, [](float value) { return std::isfinite(value); }));
  EXPECT_NE(logits[0], logits[1]);
}

TEST(ShapesTest, AnUnknownNameIsAnErrorWithThoseThereAre) {
  try {
    shape_config("llama9", 0);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::usage);
    EXPECT_NE(std::string(error.what()).find("llama3.1-8b"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("'llama9'"), std::string::npos);
  }
}

}  // namespace
}  // namespace kvzip
