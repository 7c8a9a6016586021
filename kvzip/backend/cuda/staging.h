// Copies between pageable host memory and the GPU through pinned buffers, so that the host neither waits for the GPU
// when it uploads nor must keep its memory until the copy is done. Used by one thread at a time.
#pragma once

#include <array>

#include "kvzip/backend/cuda/cuda_handles.h"

namespace kvzip {

class Staging {
 public:
  /// `stream` must outlive it.
  explicit Staging(cudaStream_t stream) : stream_(stream) {}

  /// Returns as soon as `host` may change; the copy is in order with the stream.
  void upload(void* device, const void* host, size_t bytes);
  /// Returns when `host` is filled.
  void download(void* host, const void* device, size_t bytes);

 private:
  static constexpr size_t kBytes = size_t{8} << 20U;
  struct Buffer {
    PinnedMemory memory{kBytes};
    CudaEvent copied;  ///< the last copy from or to it
    size_t used = 0;   ///< bytes that copies under way may still read
  };

  Buffer& next_buffer();

  cudaStream_t stream_;
  std::array<Buffer, 2> buffers_;
  size_t current_ = 0;
};

}  // namespace kvzip
