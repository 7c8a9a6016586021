#include "kvzip/model/transpose.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>

namespace kvzip {
namespace {

/// Every value is its own number; one byte stands before the matrix, so that it isn't aligned.
template <class Value>
void expect_transposed(size_t rows, size_t cols) {
  std::vector<std::byte> bytes(1 + rows * cols * sizeof(Value));
  for (size_t i = 0; i < rows * cols; ++i) {
    const auto value = static_cast<Value>(i);
    std::memcpy(bytes.data() + 1 + i * sizeof(Value), &value, sizeof(Value));
  }
  const std::vector<std::byte> result =
      transposed(std::span<const std::byte>(bytes).subspan(1), rows, cols, sizeof(Value));
  ASSERT_EQ(result.size(), rows * cols * sizeof(Value));
  for (size_t col = 0; col < cols; ++col) {
    for (size_t row = 0; row < rows; ++row) {
      Value value;
      std::memcpy(&value, result.data() + (col * rows + row) * sizeof(Value), sizeof(Value));
      ASSERT_EQ(value, static_cast<Value>(row * cols + col)) << rows << "x" << cols << " at " << col << ", " << row;
    }
  }
}

TEST(TransposeTest, EveryValueFindsItsPlace) {
  for (const auto& [rows, cols] : {std::pair<size_t, size_t>{1, 1}, {1, 70}, {33, 1}, {31, 33}, {64, 192}, {100, 67}}) {
    expect_transposed<uint16_t>(rows, cols);
    expect_transposed<uint32_t>(rows, cols);
  }
}

TEST(TransposeTest, NothingStaysNothing) { EXPECT_TRUE(transposed({}, 0, 5, 4).empty()); }

}  // namespace
}  // namespace kvzip
