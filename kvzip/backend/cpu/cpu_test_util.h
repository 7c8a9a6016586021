// Random matrices for the tests of the CPU backend, with gaps between rows that an operation must not touch.
#pragma once

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "kvzip/backend/cpu/ggml_traits.h"
#include "kvzip/tensor/view.h"

namespace kvzip {

inline constexpr float kGapValue = 12345.0F;

/// Normal random values, reproducible.
class Random {
 public:
  explicit Random(unsigned seed) : generator_(seed) {}
  float normal() { return normal_(generator_); }
  size_t between(size_t least, size_t most) { return std::uniform_int_distribution<size_t>(least, most)(generator_); }

 private:
  std::mt19937 generator_;
  std::normal_distribution<float> normal_;
};

/// An f32 matrix whose rows are `gap` values longer than they say.
struct TestMatrix {
  TestMatrix(size_t row_count, size_t col_count, size_t gap, Random& random)
      : rows(row_count), cols(col_count), stride(col_count + gap) {
    values.assign(rows * stride, kGapValue);
    for (size_t row = 0; row < rows; ++row) {
      for (size_t col = 0; col < cols; ++col) at(row, col) = random.normal();
    }
  }

  float& at(size_t row, size_t col) { return values[row * stride + col]; }
  float at(size_t row, size_t col) const { return values[row * stride + col]; }
  View view() { return {values.data(), DType::f32, rows, cols, stride * sizeof(float)}; }

  bool gaps_untouched() const {
    for (size_t row = 0; row < rows; ++row) {
      for (size_t col = cols; col < stride; ++col) {
        if (at(row, col) != kGapValue) return false;
      }
    }
    return true;
  }

  size_t rows;
  size_t cols;
  size_t stride;
  std::vector<float> values;
};

/// A matrix of any DType, made by encoding normal random rows; `decoded` is what its rows stand for.
struct TestWeight {
  TestWeight(DType type, size_t row_count, size_t col_count, size_t gap_blocks, Random& random)
      : dtype(type),
        rows(row_count),
        cols(col_count),
        stride(row_bytes(type, col_count) + gap_blocks * dtype_info(type).block_bytes) {
    bytes.resize(rows * stride);
    decoded.resize(rows * cols);
    std::vector<float> row(cols);
    for (size_t i = 0; i < rows; ++i) {
      for (float& value : row) value = random.normal();
      ggml_encode_row(dtype, row.data(), bytes.data() + i * stride, cols);
      ggml_decode_row(dtype, bytes.data() + i * stride, decoded.data() + i * cols, cols);
    }
  }

  ConstView view() const { return {bytes.data(), dtype, rows, cols, stride}; }
  const float* row(size_t i) const { return decoded.data() + i * cols; }

  DType dtype;
  size_t rows;
  size_t cols;
  size_t stride;
  std::vector<std::byte> bytes;
  std::vector<float> decoded;
};

}  // namespace kvzip
