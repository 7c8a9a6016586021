// For the tests of the CUDA kernels: device memory that frees itself, filled from and read back into vectors.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <vector>

#include "kvzip/backend/cuda/cuda_check.h"

namespace kvzip::cuda {

inline void expect_success(cudaError_t status) { cuda_check(status, "a test's call"); }

template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(size_t count) : count_(count) {
    expect_success(cudaMalloc(&data_, count * sizeof(T) + 16));  // 16 more: a valid pointer for no values
  }
  explicit DeviceArray(const std::vector<T>& values) : DeviceArray(values.size()) {
    expect_success(cudaMemcpy(data_, values.data(), count_ * sizeof(T), cudaMemcpyHostToDevice));
  }
  DeviceArray(DeviceArray&& other) noexcept : data_(other.data_), count_(other.count_) { other.data_ = nullptr; }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;
  DeviceArray& operator=(DeviceArray&&) = delete;
  ~DeviceArray() { cudaFree(data_); }

  T* data() const { return static_cast<T*>(data_); }
  size_t size() const { return count_; }
  void fill_bytes(int value) { expect_success(cudaMemset(data_, value, count_ * sizeof(T))); }
  void upload(const std::vector<T>& values) {
    expect_success(cudaMemcpy(data_, values.data(), count_ * sizeof(T), cudaMemcpyHostToDevice));
  }
  std::vector<T> download() const {
    std::vector<T> values(count_);
    expect_success(cudaMemcpy(values.data(), data_, count_ * sizeof(T), cudaMemcpyDeviceToHost));
    return values;
  }

 private:
  void* data_ = nullptr;
  size_t count_ = 0;
};

}  // namespace kvzip::cuda
