#include <algorithm>
#include <cfloat>

#include "kvzip/backend/cuda/cuda_check.h"
#include "kvzip/backend/cuda/find_largest.h"
#include "kvzip/backend/cuda/launch.cuh"
#include "kvzip/backend/cuda/ordered_float.cuh"
#include "kvzip/backend/cuda/values.cuh"

namespace kvzip::cuda {
namespace {

constexpr unsigned kThreads = 256;
constexpr unsigned kMostBlocks = 64;

/// Larger values have larger keys, and of equal ones the first has the largest. 0 stands for no value.
__device__ unsigned long long key_of(float value, uint32_t place) {
  if (!(value >= -FLT_MAX)) return 0;  // NaN too
  return static_cast<unsigned long long>(ordered_bits(fminf(value, FLT_MAX))) << 32U | (~0U - place);
}

/// `blocks` blocks for each row.
__global__ void largest_kernel(Rows<const float> values, size_t count, unsigned blocks, unsigned long long* results) {
  wait_for_previous_kernel();
  let_next_kernel_start();
  const unsigned row = blockIdx.x / blocks;
  const size_t first = static_cast<size_t>(blockIdx.x % blocks) * blockDim.x + threadIdx.x;
  unsigned long long best = 0;
  for (size_t i = first; i < count; i += static_cast<size_t>(blocks) * blockDim.x) {
    const unsigned long long key = key_of(values[row][i], static_cast<uint32_t>(i));
    best = key > best ? key : best;
  }
  for (int offset = 16; offset > 0; offset /= 2) {
    const unsigned long long other = __shfl_xor_sync(~0U, best, offset);
    best = other > best ? other : best;
  }
  if (threadIdx.x % 32 == 0) atomicMax(results + row, best);
}

}  // namespace

void find_largest(const ConstView& values, uint64_t* results, cudaStream_t stream) {
  cuda_check(cudaMemsetAsync(results, 0, values.rows * sizeof(*results), stream), "clearing memory");
  if (values.rows * values.cols == 0) return;
  const unsigned blocks = std::min(blocks_for(values.cols, kThreads), kMostBlocks);
  launch_overlapping(largest_kernel, static_cast<unsigned>(values.rows) * blocks, kThreads, stream,
                     rows_as<float>(values), values.cols, blocks, reinterpret_cast<unsigned long long*>(results));
}

size_t place_of_largest(uint64_t result, size_t count) { return result == 0 ? count : static_cast<uint32_t>(~result); }

}  // namespace kvzip::cuda
