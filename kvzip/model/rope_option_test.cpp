#include "kvzip/model/rope_option.h"

#include <gtest/gtest.h>

#include "kvzip/base/error.h"

namespace kvzip {
namespace {

ModelConfig model() {
  ModelConfig config;
  config.context_length = 1000;
  config.rope.base = 1e6;
  config.rope.dims = 8;
  return config;
}

TEST(RopeOption, StretchesTheContext) {
  ModelConfig yarn = model();
  apply_rope_option(parse_rope_option("yarn:4"), yarn);
  EXPECT_EQ(yarn.rope.scaling, RopeScaling::yarn);
  EXPECT_EQ(yarn.rope.factor, 4);
  EXPECT_EQ(yarn.rope.original_context, 1000U);
  EXPECT_EQ(yarn.rope.base, 1e6);
  EXPECT_EQ(yarn.rope.dims, 8U);
  EXPECT_EQ(yarn.context_length, 4000U);
  ModelConfig linear = model();
  apply_rope_option(parse_rope_option("linear:2.5"), linear);
  EXPECT_EQ(linear.rope.scaling, RopeScaling::linear);
  EXPECT_EQ(linear.context_length, 2500U);
}

TEST(RopeOption, ReplacesTheFilesOwnScaling) {
  ModelConfig config = model();
  apply_rope_option(parse_rope_option("yarn:4"), config);
  apply_rope_option(parse_rope_option("yarn:2"), config);
  EXPECT_EQ(config.rope.original_context, 1000U);
  EXPECT_EQ(config.context_length, 2000U);
  apply_rope_option(parse_rope_option("none"), config);
  EXPECT_EQ(config.rope.scaling, RopeScaling::none);
  EXPECT_EQ(config.context_length, 1000U);
}

TEST(RopeOption, RefusesAModelWithDivisors) {
  ModelConfig config = model();
  config.rope.frequency_divisors = {1, 1, 1, 8};
  EXPECT_THROW(apply_rope_option(parse_rope_option("yarn:4"), config), Error);
}

TEST(RopeOption, RefusesAModelWithLearnedPositions) {
  ModelConfig config = model();
  config.rope = {};
  EXPECT_THROW(apply_rope_option(parse_rope_option("yarn:4"), config), Error);
}

TEST(RopeOption, RefusesWhatIsNoScaling) {
  for (const char* text : {"", "yarn", "yarn:", "yarn:0", "yarn:0.5", "yarn:-4", "yarn:nan", "yarn:inf", "yarn:1e9",
                           "yarn:4x", "yarn: 4", "llama3:8", "none:2", ":4", "4"}) {
    try {
      parse_rope_option(text);
      FAIL() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::usage) << text;
    }
  }
}

}  // namespace
}  // namespace kvzip
