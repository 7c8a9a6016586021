#include "kvzip/model/transpose.h"

#include <algorithm>
#include <cstring>

#include "kvzip/base/check.h"
#include "kvzip/base/parallel.h"

namespace kvzip {
namespace {

// Rows and columns of a tile: both sides of it stay in the fastest cache.
constexpr size_t kTile = 32;

// `from` may lie at any byte.
template <size_t kBytes>
void transpose_columns(const std::byte* from, size_t rows, size_t cols, size_t first, size_t end, std::byte* to) {
  for (size_t top = 0; top < rows; top += kTile) {
    for (size_t row = top; row < std::min(rows, top + kTile); ++row) {
      for (size_t col = first; col < end; ++col)
        std::memcpy(to + (col * rows + row) * kBytes, from + (row * cols + col) * kBytes, kBytes);
    }
  }
}

}  // namespace

std::vector<std::byte> transposed(std::span<const std::byte> matrix, size_t rows, size_t cols, size_t value_bytes) {
  check(matrix.size() == rows * cols * value_bytes, "transposed: a whole matrix");
  check(value_bytes == 2 || value_bytes == 4, "transposed: values of 2 or 4 bytes");
  std::vector<std::byte> result(matrix.size());
  const auto transpose = value_bytes == 2 ? transpose_columns<2> : transpose_columns<4>;
  parallel_ranges((cols + kTile - 1) / kTile, 1, [&](size_t begin, size_t end) {
    for (size_t tile = begin; tile < end; ++tile)
      transpose(matrix.data(), rows, cols, tile * kTile, std::min(cols, (tile + 1) * kTile), result.data());
  });
  return result;
}

}  // namespace kvzip
