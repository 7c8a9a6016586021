// Non-owning matrices. A view names memory of a backend: nothing but that backend may read through `data`.
#pragma once

#include <cstddef>

#include "kvzip/tensor/dtype.h"

namespace kvzip {

/// Read-only `[rows, cols]`; rows are `stride` bytes apart, values of a row are contiguous.
struct ConstView {
  const void* data = nullptr;
  DType dtype = DType::f32;
  size_t rows = 0;
  size_t cols = 0;
  size_t stride = 0;
};

/// Writable `[rows, cols]`.
struct View {
  void* data = nullptr;
  DType dtype = DType::f32;
  size_t rows = 0;
  size_t cols = 0;
  size_t stride = 0;

  operator ConstView() const { return {data, dtype, rows, cols, stride}; }
};

/// Rows [first, first + count) of `view`.
inline ConstView rows_of(const ConstView& view, size_t first, size_t count) {
  return {static_cast<const std::byte*>(view.data) + first * view.stride, view.dtype, count, view.cols, view.stride};
}
inline View rows_of(const View& view, size_t first, size_t count) {
  return {static_cast<std::byte*>(view.data) + first * view.stride, view.dtype, count, view.cols, view.stride};
}

}  // namespace kvzip
