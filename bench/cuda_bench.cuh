// For the CUDA benchmarks: device memory, random rows, timing of a captured graph, the copy that all figures refer to.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <vector>

#include "kvzip/tensor/dtype.h"

namespace kvzip::bench {

inline void expect(cudaError_t status) {
  if (status == cudaSuccess) return;
  std::fprintf(stderr, "CUDA: %s\n", cudaGetErrorString(status));
  std::exit(1);
}

/// Device memory, freed at the end.
class DeviceMemory {
 public:
  explicit DeviceMemory(size_t bytes) : bytes_(bytes) { expect(cudaMalloc(&data_, bytes)); }
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;
  ~DeviceMemory() { cudaFree(data_); }
  char* data() const { return static_cast<char*>(data_); }
  size_t bytes() const { return bytes_; }

 private:
  void* data_ = nullptr;
  size_t bytes_;
};

__device__ inline uint32_t mixed(uint32_t x) {
  x = (x ^ x >> 16) * 0x7feb352dU;
  x = (x ^ x >> 15) * 0x846ca68bU;
  return x ^ x >> 16;
}

/// Random 16-bit words; in f16 and bf16 numbers of both signs around 1, `period` > 0: a scale of about 0.01 that often.
__global__ void fill_kernel(uint16_t* words, size_t count, bool is_bf16, int period) {
  for (size_t i = blockIdx.x * size_t{blockDim.x} + threadIdx.x; i < count; i += size_t{gridDim.x} * blockDim.x) {
    const uint32_t random = mixed(static_cast<uint32_t>(i) * 2654435761U + static_cast<uint32_t>(i >> 32));
    const uint16_t number = is_bf16 ? 0x3E80 | (random & 0x807F) | (random >> 8 & 0x80)
                                    : 0x3400 | (random & 0x83FF) | (random >> 8 & 0x0400);
    words[i] = period == 0 ? number : i % period == 0 ? 0x2100 : random;
  }
}

/// Fills memory with rows of f16, bf16, q8_0 or q4_0.
inline void fill_random(void* data, size_t bytes, DType dtype) {
  const int period = dtype == DType::q8_0 ? 17 : dtype == DType::q4_0 ? 9 : 0;
  fill_kernel<<<1024, 256>>>(static_cast<uint16_t*>(data), bytes / 2, dtype == DType::bf16, period);
  expect(cudaGetLastError());
}

/// Median seconds of what `work` queues on the stream, after two rounds that only warm up.
inline double median_seconds(cudaStream_t stream, const std::function<void()>& work, int repeats = 7) {
  cudaEvent_t begin = nullptr;
  cudaEvent_t end = nullptr;
  expect(cudaEventCreate(&begin));
  expect(cudaEventCreate(&end));
  std::vector<float> times;
  for (int i = 0; i < repeats + 2; ++i) {
    expect(cudaEventRecord(begin, stream));
    work();
    expect(cudaEventRecord(end, stream));
    expect(cudaStreamSynchronize(stream));
    float milliseconds = 0;
    expect(cudaEventElapsedTime(&milliseconds, begin, end));
    if (i >= 2) times.push_back(milliseconds);
  }
  expect(cudaEventDestroy(begin));
  expect(cudaEventDestroy(end));
  std::sort(times.begin(), times.end());
  return times[times.size() / 2] * 1e-3;
}

/// Median seconds of one replay of what `work` queues on a stream.
inline double graph_seconds(const std::function<void(cudaStream_t)>& work, int repeats = 7) {
  cudaStream_t stream = nullptr;
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t replay = nullptr;
  expect(cudaStreamCreate(&stream));
  expect(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  work(stream);
  expect(cudaStreamEndCapture(stream, &graph));
  expect(cudaGraphInstantiate(&replay, graph, 0));
  const double seconds = median_seconds(
      stream, [&] { expect(cudaGraphLaunch(replay, stream)); }, repeats);
  expect(cudaGraphExecDestroy(replay));
  expect(cudaGraphDestroy(graph));
  expect(cudaStreamDestroy(stream));
  return seconds;
}

__global__ void copy_kernel(uint4* to, const uint4* from, size_t count) {
  for (size_t i = blockIdx.x * size_t{blockDim.x} + threadIdx.x; i < count; i += size_t{gridDim.x} * blockDim.x) {
    to[i] = from[i];
  }
}

/// Bytes per second of a large copy within the device, read and written bytes counted: the better of the driver's and
/// of a kernel's.
inline double copy_rate() {
  const size_t bytes = size_t{4} << 30;
  const DeviceMemory from(bytes);
  const DeviceMemory to(bytes);
  fill_random(from.data(), bytes, DType::f16);
  double best = graph_seconds([&](cudaStream_t stream) {
    expect(cudaMemcpyAsync(to.data(), from.data(), bytes, cudaMemcpyDeviceToDevice, stream));
  });
  // Many short blocks: the processors don't read equally fast.
  best = std::min(best, graph_seconds([&](cudaStream_t stream) {
                    copy_kernel<<<1 << 20, 256, 0, stream>>>(reinterpret_cast<uint4*>(to.data()),
                                                             reinterpret_cast<const uint4*>(from.data()), bytes / 16);
                  }));
  return 2.0 * static_cast<double>(bytes) / best;
}

}  // namespace kvzip::bench
