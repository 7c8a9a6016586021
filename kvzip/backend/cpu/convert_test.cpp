// Conversions against plain scalar code, and against ggml's decoders for the quantised formats.
#include "kvzip/backend/cpu/convert.h"

#include <gtest/gtest.h>

#include <bit>
#include <limits>

#include "kvzip/backend/cpu/cpu_test_util.h"

namespace kvzip {
namespace {

/// The value of 16 bits as sign, `exponent_bits` of exponent and the rest of fraction.
double half_value(uint16_t bits, int exponent_bits) {
  const int fraction_bits = 15 - exponent_bits;
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = (bits >> fraction_bits) & ((1 << exponent_bits) - 1);
  const double fraction = std::ldexp(bits & ((1 << fraction_bits) - 1), -fraction_bits);
  const double size = exponent == 0 ? std::ldexp(fraction, 1 - bias) : std::ldexp(1 + fraction, exponent - bias);
  return (bits & 0x8000) != 0 ? -size : size;
}

/// Finite bit patterns of both signs; the nearest to `value` is either `bits` or a neighbour, and a tie goes to the
/// even one.
bool is_nearest_even(float value, uint16_t bits, int exponent_bits) {
  const double error = std::fabs(half_value(bits, exponent_bits) - value);
  for (const int step : {-1, 1}) {
    const auto neighbour = static_cast<uint16_t>(bits + step);
    if ((neighbour & 0x7FFF) >= ((1 << exponent_bits) - 1) << (15 - exponent_bits)) continue;  // infinity and beyond
    const double other = std::fabs(half_value(neighbour, exponent_bits) - value);
    if (other < error || (other == error && (bits & 1) != 0)) return false;
  }
  return true;
}

TEST(ConvertTest, RoundsToNearestEven) {
  Random random(11);
  for (const auto& [dtype, exponent_bits] : {std::pair{DType::f16, 5}, std::pair{DType::bf16, 8}}) {
    for (const size_t count : {size_t{1}, size_t{15}, size_t{64}, size_t{1003}}) {
      std::vector<float> in(count);
      for (float& value : in)
        value = random.normal() * std::pow(2.0F, static_cast<float>(random.between(0, 30)) - 18.0F);
      // Exactly between two neighbours, in both formats.
      in[count / 2] = 1.0F + std::ldexp(3.0F, exponent_bits == 5 ? -11 : -8);
      std::vector<uint16_t> out(count + 1, 0x7777);
      convert_from_f32(in.data(), dtype, out.data(), count);
      for (size_t i = 0; i < count; ++i) {
        if (std::fabs(in[i]) > 60000) continue;
        EXPECT_TRUE(is_nearest_even(in[i], out[i], exponent_bits))
            << dtype_name(dtype) << " " << in[i] << " -> " << out[i];
      }
      EXPECT_EQ(out[count], 0x7777);
    }
  }
}

TEST(ConvertTest, KeepsSpecialValues) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::vector<float> in = {
      0.0F,  -0.0F,    kInfinity, -kInfinity, std::bit_cast<float>(0x7F800001U), std::bit_cast<float>(0xFFFFFFFFU),
      1e30F, -65520.0F};
  for (const DType dtype : {DType::f16, DType::bf16, DType::f32}) {
    std::vector<uint32_t> narrow(in.size());
    std::vector<float> back(in.size());
    convert_from_f32(in.data(), dtype, narrow.data(), in.size());
    convert_to_f32(dtype, narrow.data(), back.data(), in.size());
    EXPECT_EQ(std::bit_cast<uint32_t>(back[0]), 0U);
    EXPECT_EQ(std::bit_cast<uint32_t>(back[1]), 0x80000000U);
    EXPECT_EQ(back[2], kInfinity);
    EXPECT_EQ(back[3], -kInfinity);
    EXPECT_TRUE(std::isnan(back[4])) << dtype_name(dtype);
    EXPECT_TRUE(std::isnan(back[5])) << dtype_name(dtype);
    if (dtype == DType::f16) {
      EXPECT_EQ(back[6], kInfinity);
      EXPECT_EQ(back[7], -kInfinity);
    }
  }
}

TEST(ConvertTest, DecodesEveryFormatAsGgmlDoes) {
  Random random(12);
  for (size_t type = 0; type < kDTypeCount; ++type) {
    const auto dtype = static_cast<DType>(type);
    const size_t cols = dtype_info(dtype).block_values * random.between(1, 5);
    const TestWeight weight(dtype, 9, cols, 1, random);
    std::vector<float> out(cols + 1, kGapValue);
    for (size_t row = 0; row < weight.rows; ++row) {
      convert_to_f32(dtype, weight.bytes.data() + row * weight.stride, out.data(), cols);
      for (size_t i = 0; i < cols; ++i) {
        // One rounding of difference: ours multiplies and adds in one step.
        ASSERT_NEAR(out[i], weight.row(row)[i], 3e-7 * (1 + std::fabs(weight.row(row)[i])))
            << dtype_name(dtype) << " " << i;
      }
      EXPECT_EQ(out[cols], kGapValue);
    }
  }
}

}  // namespace
}  // namespace kvzip
