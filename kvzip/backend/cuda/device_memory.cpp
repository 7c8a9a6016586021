#include "kvzip/backend/cuda/device_memory.h"

#include <limits>
#include <string>

#include "kvzip/backend/cuda/cuda_check.h"
#include "kvzip/backend/cuda/kernel_launch.h"

namespace kvzip {

DeviceMemory::DeviceMemory(cudaStream_t stream) : stream_(stream) {
  int device = 0;
  cuda_check(cudaGetDevice(&device), "asking for the current GPU");
  cudaMemPoolProps properties{};
  properties.allocType = cudaMemAllocationTypePinned;
  properties.location = {.type = cudaMemLocationTypeDevice, .id = device};
  cuda_check(cudaMemPoolCreate(&pool_, &properties), "creating a memory pool");
  uint64_t keep = std::numeric_limits<uint64_t>::max();  // nothing goes back to the system at a synchronisation
  cuda_check(cudaMemPoolSetAttribute(pool_, cudaMemPoolAttrReleaseThreshold, &keep), "setting up a memory pool");
}

DeviceMemory::~DeviceMemory() { cudaMemPoolDestroy(pool_); }

void* DeviceMemory::acquire(size_t bytes) {
  cuda::announce_other_work();
  void* data = nullptr;
  cudaError_t status = cudaMallocFromPoolAsync(&data, bytes, pool_, stream_);
  if (status == cudaErrorMemoryAllocation) {
    // Blocks of other sizes that were released may hold what is missing: give them back, and ask again.
    cudaGetLastError();
    cuda_check(cudaStreamSynchronize(stream_), "the GPU's work");
    cuda_check(cudaMemPoolTrimTo(pool_, 0), "trimming a memory pool");
    status = cudaMallocFromPoolAsync(&data, bytes, pool_, stream_);
  }
  if (status == cudaErrorMemoryAllocation || status == cudaErrorInvalidValue) {
    cudaGetLastError();
    throw Error(ErrorCode::memory, "out of GPU memory: " + std::to_string(bytes >> 20U) + " MiB (" +
                                       std::to_string(bytes) + " bytes) wanted, " + std::to_string(available() >> 20U) +
                                       " MiB available");
  }
  cuda_check(status, "allocating GPU memory");
  return data;
}

void DeviceMemory::release(void* data) noexcept { cudaFreeAsync(data, stream_); }

size_t DeviceMemory::available() const {
  size_t free = 0;
  size_t total = 0;
  uint64_t reserved = 0;
  uint64_t used = 0;
  cuda_check(cudaMemGetInfo(&free, &total), "asking for free memory");
  cuda_check(cudaMemPoolGetAttribute(pool_, cudaMemPoolAttrReservedMemCurrent, &reserved), "asking a memory pool");
  cuda_check(cudaMemPoolGetAttribute(pool_, cudaMemPoolAttrUsedMemCurrent, &used), "asking a memory pool");
  return free + (reserved - used);
}

size_t DeviceMemory::peak() const {
  uint64_t bytes = 0;
  cuda_check(cudaMemPoolGetAttribute(pool_, cudaMemPoolAttrReservedMemHigh, &bytes), "asking a memory pool");
  return bytes;
}

void* DeviceScratch::at_least(size_t bytes) {
  if (bytes > bytes_) {
    if (data_ != nullptr) memory_->release(data_);
    data_ = nullptr;
    bytes_ = 0;
    data_ = memory_->acquire(bytes);
    bytes_ = bytes;
  }
  return data_;
}

}  // namespace kvzip
