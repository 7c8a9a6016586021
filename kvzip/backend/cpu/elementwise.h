// Element by element and row by row operations of the CPU backend: what each does is said in backend/backend.h, where
// the shapes are checked before these are called. Stateless; each uses all threads when there is enough to do.
#pragma once

#include "kvzip/backend/backend.h"

namespace kvzip {

/// Values that make it worth waking another thread (1 to 2 us): about 4 us of work for these operations.
inline constexpr size_t kValuesPerThread = 32768;

/// Rows of `cols` values that one thread should have at least.
constexpr size_t row_grain(size_t cols) { return kValuesPerThread / (cols + 1) + 1; }

void add_cpu(const View& x, const ConstView& y);
void rope_cpu(const View& x, size_t head_dim, const ConstView& cos_sin, RopePairing pairing);

/// Row `row` of a view of f32.
inline const float* f32_row(const ConstView& view, size_t row) {
  return reinterpret_cast<const float*>(static_cast<const std::byte*>(view.data) + row * view.stride);
}
inline float* f32_row(const View& view, size_t row) {
  return reinterpret_cast<float*>(static_cast<std::byte*>(view.data) + row * view.stride);
}

}  // namespace kvzip
