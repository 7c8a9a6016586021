// Products of one row with weights as they are stored, against sums in double of what the CPU's decoder reads.
#include "kvzip/backend/cuda/linear_row.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "kvzip/backend/cpu/convert.h"
#include "kvzip/backend/cpu/cpu_test_util.h"
#include "kvzip/backend/cuda/device_array_test.h"
#include "kvzip/backend/cuda/rows.h"

namespace kvzip::cuda {
namespace {

constexpr DType kTypes[] = {DType::bf16, DType::q8_0, DType::q4_0, DType::q4_1, DType::q4_k, DType::q6_k};

/// Where ggml keeps the f16 factors of a block: random bits would be infinite or NaN there.
std::vector<size_t> factor_places(DType dtype) {
  if (dtype == DType::q4_1 || dtype == DType::q4_k) return {0, 2};
  if (dtype == DType::q6_k) return {208};
  return {0};
}

/// Weights of any bits that the format can have, and their values.
struct Weights {
  std::vector<uint8_t> bytes;
  std::vector<float> values;
  size_t rows, cols, stride;

  Weights(DType dtype, size_t row_count, size_t col_count, Random& random)
      : values(row_count * col_count), rows(row_count), cols(col_count), stride(row_bytes(dtype, col_count)) {
    bytes.resize(rows * stride);
    if (dtype == DType::bf16) {
      for (float& value : values) value = random.normal();
      convert_from_f32(values.data(), dtype, reinterpret_cast<std::byte*>(bytes.data()), values.size());
    } else {
      for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random.between(0, 255));
      for (size_t block = 0; block < bytes.size(); block += dtype_info(dtype).block_bytes) {
        for (const size_t at : factor_places(dtype)) {
          const float factor = 0.01F * random.normal();
          convert_from_f32(&factor, DType::f16, reinterpret_cast<std::byte*>(&bytes[block + at]), 1);
        }
      }
    }
    for (size_t row = 0; row < rows; ++row) {
      convert_to_f32(dtype, reinterpret_cast<const std::byte*>(&bytes[row * stride]), &values[row * cols], cols);
    }
  }
  float at(size_t row, size_t col) const { return values[row * cols + col]; }
};

class LinearRowTest : public testing::TestWithParam<DType> {
 protected:
  struct Sum {
    double value = 0;
    double absolute = 0;  ///< sum of the products' magnitudes: what rounding is relative to
  };

  static Sum product(const Weights& weights, size_t row, const std::vector<float>& x, float bias) {
    Sum sum{bias, std::fabs(bias)};
    for (size_t col = 0; col < weights.cols; ++col) {
      const double one = static_cast<double>(weights.at(row, col)) * x[col];
      sum.value += one;
      sum.absolute += std::fabs(one);
    }
    return sum;
  }

  /// A row of bf16 values, here and on the GPU.
  std::vector<float> random_x(size_t cols, std::vector<uint16_t>& stored) {
    std::vector<float> x(cols);
    stored.resize(cols);
    for (float& value : x) value = random_.normal();
    convert_from_f32(x.data(), DType::bf16, reinterpret_cast<std::byte*>(stored.data()), cols);
    convert_to_f32(DType::bf16, reinterpret_cast<const std::byte*>(stored.data()), x.data(), cols);
    return x;
  }

  Random random_{5};
};

TEST_P(LinearRowTest, AgreesWithSumsInDouble) {
  const size_t block = std::max<size_t>(dtype_info(GetParam()).block_values, 8);
  for (const size_t blocks : {1, 3, 7, 16, 56}) {
    const size_t cols = blocks * block;
    std::vector<uint16_t> stored;
    const std::vector<float> x = random_x(cols, stored);
    const DeviceArray<uint16_t> x_on_gpu(stored);
    const ConstView x_view{x_on_gpu.data(), DType::bf16, 1, cols, cols * 2};
    for (const size_t rows : {1, 5, 64, 131}) {
      const Weights first(GetParam(), rows, cols, random_);
      const Weights second(GetParam(), rows + 3, cols, random_);
      const DeviceArray<uint8_t> first_on_gpu(first.bytes);
      const DeviceArray<uint8_t> second_on_gpu(second.bytes);
      std::vector<float> bias(rows + 3);
      for (float& value : bias) value = random_.normal();
      const DeviceArray<float> bias_on_gpu(bias);
      const std::vector<float> before(rows, 2.5F);
      const DeviceArray<float> first_out(before);
      const DeviceArray<uint16_t> second_out(rows + 3);
      const std::array parts{LinearPart{{first_on_gpu.data(), GetParam(), rows, cols, first.stride},
                                        nullptr,
                                        {first_out.data(), DType::f32, 1, rows, rows * 4},
                                        true},
                             LinearPart{{second_on_gpu.data(), GetParam(), rows + 3, cols, second.stride},
                                        bias_on_gpu.data(),
                                        {second_out.data(), DType::bf16, 1, rows + 3, (rows + 3) * 2},
                                        false}};
      ASSERT_TRUE(can_multiply_row(x_view, parts));
      multiply_row(x_view, parts, nullptr);
      const std::vector<float> added = first_out.download();
      for (size_t row = 0; row < rows; ++row) {
        const Sum sum = product(first, row, x, 2.5F);
        ASSERT_NEAR(added[row], sum.value, 2e-6 * sum.absolute + 1e-6) << cols << " columns, row " << row;
      }
      const std::vector<uint16_t> rounded = second_out.download();
      for (size_t row = 0; row < rows + 3; ++row) {
        const Sum sum = product(second, row, x, bias[row]);
        float out = 0;
        convert_to_f32(DType::bf16, reinterpret_cast<const std::byte*>(&rounded[row]), &out, 1);
        ASSERT_NEAR(out, sum.value, std::fabs(sum.value) / 256 + 2e-6 * sum.absolute + 1e-6)
            << cols << " columns, row " << row;
      }
    }
  }
}

TEST_P(LinearRowTest, GatesAsItsPartsSay) {
  const size_t cols = 3 * std::max<size_t>(dtype_info(GetParam()).block_values, 8);
  std::vector<uint16_t> stored;
  const std::vector<float> x = random_x(cols, stored);
  const DeviceArray<uint16_t> x_on_gpu(stored);
  for (const size_t rows : {1, 6, 77}) {
    const Weights gate(GetParam(), rows, cols, random_);
    const Weights up(GetParam(), rows, cols, random_);
    const DeviceArray<uint8_t> gate_on_gpu(gate.bytes);
    const DeviceArray<uint8_t> up_on_gpu(up.bytes);
    const DeviceArray<float> out(rows);
    const View out_view{out.data(), DType::f32, 1, rows, rows * 4};
    const LinearPart gate_part{{gate_on_gpu.data(), GetParam(), rows, cols, gate.stride}, nullptr, out_view, false};
    const LinearPart up_part{{up_on_gpu.data(), GetParam(), rows, cols, up.stride}, nullptr, out_view, false};
    const ConstView x_view{x_on_gpu.data(), DType::bf16, 1, cols, cols * 2};
    multiply_row_gated(x_view, gate_part, up_part, Activation::silu, nullptr);
    const std::vector<float> found = out.download();
    for (size_t row = 0; row < rows; ++row) {
      const Sum g = product(gate, row, x, 0);
      const Sum u = product(up, row, x, 0);
      const double opened = g.value / (1 + std::exp(-g.value));
      const double allowed = 1e-5 * (g.absolute * std::fabs(u.value) + u.absolute * std::fabs(opened)) + 1e-6;
      ASSERT_NEAR(found[row], opened * u.value, allowed) << rows << " rows, row " << row;
    }
  }
}

TEST_P(LinearRowTest, UnpacksToTheSameValues) {
  const size_t cols = 5 * std::max<size_t>(dtype_info(GetParam()).block_values, 8);
  const size_t rows = 37;
  const Weights weights(GetParam(), rows, cols, random_);
  const DeviceArray<uint8_t> on_gpu(weights.bytes);
  const DeviceArray<uint16_t> out(rows * cols);
  convert({on_gpu.data(), GetParam(), rows, cols, weights.stride}, {out.data(), DType::bf16, rows, cols, cols * 2},
          nullptr);
  const std::vector<uint16_t> found = out.download();
  for (size_t i = 0; i < found.size(); ++i) {
    float value = 0;
    convert_to_f32(DType::bf16, reinterpret_cast<const std::byte*>(&found[i]), &value, 1);
    ASSERT_NEAR(value, weights.values[i], std::fabs(weights.values[i]) / 256 + 1e-6) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Types, LinearRowTest, testing::ValuesIn(kTypes),
                         [](const auto& each) { return std::string(dtype_name(each.param)); });

}  // namespace
}  // namespace kvzip::cuda
