// Memory owned on behalf of a backend, and matrices on top of it. Move-only; freed by the backend that made it,
// which must outlive it.
#pragma once

#include <cstddef>
#include <utility>

#include "kvzip/tensor/view.h"

namespace kvzip {

/// Where a Buffer's memory comes from and goes back to; implemented by each backend.
class Memory {
 public:
  virtual ~Memory() = default;
  /// `bytes` of uninitialised memory, aligned to 64. Throws Error{memory} naming the size.
  virtual void* acquire(size_t bytes) = 0;
  virtual void release(void* data, size_t bytes) noexcept = 0;
};

class Buffer {
 public:
  Buffer() = default;
  Buffer(Memory& memory, size_t bytes)
      : memory_(&memory), data_(bytes == 0 ? nullptr : memory.acquire(bytes)), bytes_(bytes) {}
  Buffer(Buffer&& other) noexcept
      : memory_(other.memory_), data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Buffer() {
    if (data_ != nullptr) memory_->release(data_, bytes_);
  }

  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  Memory* memory_ = nullptr;
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

/// An owned `[rows, cols]` matrix with contiguous rows.
class Tensor {
 public:
  Tensor() = default;
  Tensor(Memory& memory, DType dtype, size_t rows, size_t cols)
      : buffer_(memory, rows * row_bytes(dtype, cols)),
        view_{buffer_.data(), dtype, rows, cols, row_bytes(dtype, cols)} {}

  View view() const { return view_; }
  /// The first `rows` rows.
  View view(size_t rows) const { return rows_of(view_, 0, rows); }
  size_t bytes() const { return buffer_.bytes(); }

 private:
  Buffer buffer_;
  View view_;
};

}  // namespace kvzip
