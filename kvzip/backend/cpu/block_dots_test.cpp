// The AVX-512 dot products against sums in double over exactly the values that weights and activations were rounded to.
#include "kvzip/backend/cpu/block_dots.h"

#include <gtest/gtest.h>

#include "kvzip/backend/cpu/cpu_memory.h"
#include "kvzip/backend/cpu/cpu_test_util.h"

namespace kvzip {
namespace {

class BlockDotsTest : public testing::Test {
 protected:
  void SetUp() override {
    if (encode_quads() == nullptr) GTEST_SKIP() << "this processor has no AVX-512 VNNI";
  }
  Random random_{41};
};

/// Value i of an encoded row, from the layout that block_dots.h states.
float decoded(const ActivationQuad* quads, size_t i) {
  const ActivationQuad& quad = quads[i / kQuadValues];
  const size_t block = i % kQuadValues / 32;
  const size_t lane = i % 16;
  const int8_t value = i % 32 < 16 ? quad.low[16 * block + lane] : quad.high[16 * block + lane];
  return quad.scale[4 * block] * static_cast<float>(value);
}

TEST_F(BlockDotsTest, EncodingIsWithinHalfAStep) {
  Scratch scratch;
  for (const size_t values : {32, 64, 96, 128, 576}) {
    TestMatrix x(1, values, 0, random_);
    for (size_t i = 0; i < 32; ++i) x.at(0, i) = 0;  // a block without a scale
    auto* const quads = static_cast<ActivationQuad*>(scratch.at_least(quads_of(values) * sizeof(ActivationQuad)));
    encode_quads()(x.values.data(), values, quads);
    for (size_t block = 0; block < values / 32; ++block) {
      float largest = 0;
      float sum = 0;
      for (size_t i = 32 * block; i < 32 * block + 32; ++i) largest = std::max(largest, std::fabs(x.at(0, i)));
      for (size_t i = 32 * block; i < 32 * block + 32; ++i) {
        EXPECT_NEAR(decoded(quads, i), x.at(0, i), largest / 127 * 0.5001F);
        sum += decoded(quads, i);
      }
      const ActivationQuad& quad = quads[block / 4];
      EXPECT_NEAR(quad.sum[block % 4 * 4], sum, 1e-5F * (1 + 32 * largest));
    }
  }
}

TEST_F(BlockDotsTest, ProductsAreExactUpToF32Sums) {
  for (const DType dtype : {DType::q4_0, DType::q4_1, DType::q5_0, DType::q5_1, DType::q8_0}) {
    for (size_t tokens = 1; tokens <= kDotTokens; ++tokens) {
      const size_t values = 32 * random_.between(1, 20);
      const TestWeight weight(dtype, random_.between(1, 20), values, random_.between(0, 1), random_);
      TestMatrix x(tokens, values, 0, random_);
      Scratch scratch;
      auto* const quads =
          static_cast<ActivationQuad*>(scratch.at_least(tokens * quads_of(values) * sizeof(ActivationQuad)));
      for (size_t token = 0; token < tokens; ++token) {
        encode_quads()(&x.at(token, 0), values, quads + token * quads_of(values));
      }
      std::vector<float> sums(weight.rows * tokens + 1, kGapValue);
      block_dot(dtype)({weight.bytes.data(), weight.stride, weight.rows, values, quads, tokens, sums.data()});
      EXPECT_EQ(sums.back(), kGapValue);
      for (size_t row = 0; row < weight.rows; ++row) {
        for (size_t token = 0; token < tokens; ++token) {
          double sum = 0;
          double absolute = 0;
          for (size_t i = 0; i < values; ++i) {
            sum += static_cast<double>(decoded(quads + token * quads_of(values), i)) * weight.row(row)[i];
            absolute += std::fabs(x.at(token, i) * weight.row(row)[i]);
          }
          // Q8_0 is summed around an offset of 128 steps, some 40 times a typical value, which costs that many
          // roundings.
          const double relative = dtype == DType::q8_0 ? 2e-5 : 2e-6;
          ASSERT_NEAR(sums[row * tokens + token], sum, relative * absolute)
              << dtype_name(dtype) << " values " << values;
        }
      }
    }
  }
}

TEST_F(BlockDotsTest, OtherFormatsHaveNone) {
  for (const DType dtype :
       {DType::f32, DType::f16, DType::bf16, DType::q2_k, DType::q4_k, DType::q6_k, DType::iq4_nl}) {
    EXPECT_EQ(block_dot(dtype), nullptr);
  }
}

}  // namespace
}  // namespace kvzip
