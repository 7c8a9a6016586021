// The memory of a GPU, handed out in the order of one stream: a block released is reused by later operations of the
// stream without waiting for the GPU, and goes back to the system only where another allocation needs the room.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>

namespace kvzip {

class DeviceMemory {
 public:
  /// Of the calling thread's current GPU. `stream` must outlive it.
  explicit DeviceMemory(cudaStream_t stream);
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;
  ~DeviceMemory();

  /// Throws Error{memory} naming the size and what is left.
  void* acquire(size_t bytes);
  void release(void* data) noexcept;
  /// Bytes that acquire() can still give, fragmentation aside.
  size_t available() const;
  /// The most bytes that were taken from the system at once so far.
  size_t peak() const;

 private:
  cudaStream_t stream_;
  cudaMemPool_t pool_ = nullptr;
};

/// Memory that grows and is kept for the next operation of the stream that needs some.
class DeviceScratch {
 public:
  explicit DeviceScratch(DeviceMemory& memory) : memory_(&memory) {}
  DeviceScratch(const DeviceScratch&) = delete;
  DeviceScratch& operator=(const DeviceScratch&) = delete;
  ~DeviceScratch() {
    if (data_ != nullptr) memory_->release(data_);
  }
  /// What it held is lost when it has to grow.
  void* at_least(size_t bytes);

 private:
  DeviceMemory* memory_;
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace kvzip
