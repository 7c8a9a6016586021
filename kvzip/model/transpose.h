// Transposition of a matrix in host memory, for files that store linear layers as `[in, out]`. Stateless.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace kvzip {

/// `[cols, rows]` of a contiguous `[rows, cols]` matrix whose values have `value_bytes` bytes each, 2 or 4.
std::vector<std::byte> transposed(std::span<const std::byte> matrix, size_t rows, size_t cols, size_t value_bytes);

}  // namespace kvzip
