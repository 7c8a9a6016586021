// RMSNorm and LayerNorm: one block per row, the row in registers where it fits.
#include "kvzip/backend/cuda/elementwise.h"
#include "kvzip/backend/cuda/launch.cuh"
#include "kvzip/backend/cuda/values.cuh"

namespace kvzip::cuda {
namespace {

constexpr int kMostThreads = 512;

/// The sum of `value` over the block, for all of its threads.
__device__ float block_sum(float value) {
  __shared__ float partial[kMostThreads / 32];
  for (int offset = 16; offset > 0; offset /= 2) value += __shfl_xor_sync(~0U, value, offset);
  __syncthreads();  // an earlier sum may still be read
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = value;
  __syncthreads();
  float sum = 0;
  for (unsigned i = 0; i < blockDim.x / 32; ++i) sum += partial[i];
  return sum;
}

/// kCentred: LayerNorm, which subtracts the mean and adds a bias.
template <class In, class Out, int kPack, bool kCentred>
__global__ void norm(Rows<const In> x, const float* __restrict__ weight, const float* __restrict__ bias, float eps,
                     Rows<Out> out, size_t cols) {
  wait_for_previous_kernel();
  let_next_kernel_start();
  const In* const from = x[blockIdx.x];
  Out* const to = out[blockIdx.x];
  const size_t first = threadIdx.x * kPack;
  const size_t step = blockDim.x * kPack;
  float mean = 0;
  if constexpr (kCentred) {
    float sum = 0;
    for (size_t i = first; i < cols; i += step) {
      float values[kPack];
      load<kPack>(from + i, values);
#pragma unroll
      for (int j = 0; j < kPack; ++j) sum += values[j];
    }
    mean = block_sum(sum) / static_cast<float>(cols);
  }
  float squares = 0;
  for (size_t i = first; i < cols; i += step) {
    float values[kPack];
    load<kPack>(from + i, values);
#pragma unroll
    for (int j = 0; j < kPack; ++j) squares += (values[j] - mean) * (values[j] - mean);
  }
  const float factor = 1.0F / sqrtf(block_sum(squares) / static_cast<float>(cols) + eps);
  for (size_t i = first; i < cols; i += step) {
    float values[kPack];
    load<kPack>(from + i, values);
#pragma unroll
    for (int j = 0; j < kPack; ++j) {
      values[j] = (values[j] - mean) * factor * weight[i + j];
      if constexpr (kCentred) values[j] += bias[i + j];
    }
    store<kPack>(values, to + i);
  }
}

template <bool kCentred>
void run_norm(const ConstView& x, const float* weight, const float* bias, float eps, const View& out,
              cudaStream_t stream) {
  if (x.rows == 0 || x.cols == 0) return;
  with_activation_type(x.dtype, [&](auto in) {
    with_activation_type(out.dtype, [&](auto result) {
      using In = decltype(in);
      using Out = decltype(result);
      const auto launch = [&]<int kPack>() {
        const unsigned packs = blocks_for(x.cols, kPack);
        const unsigned threads = packs >= kMostThreads ? kMostThreads : (packs + 31) / 32 * 32;
        launch_overlapping(norm<In, Out, kPack, kCentred>, static_cast<unsigned>(x.rows), threads, stream,
                           rows_as<In>(x), weight, bias, eps, rows_as<Out>(out), x.cols);
      };
      if (packs_by(x, 8) && packs_by(out, 8)) {
        launch.template operator()<8>();
      } else {
        launch.template operator()<1>();
      }
    });
  });
}

}  // namespace

void rms_norm(const ConstView& x, const float* weight, float eps, const View& out, cudaStream_t stream) {
  run_norm<false>(x, weight, nullptr, eps, out, stream);
}

void layer_norm(const ConstView& x, const float* weight, const float* bias, float eps, const View& out,
                cudaStream_t stream) {
  run_norm<true>(x, weight, bias, eps, out, stream);
}

}  // namespace kvzip::cuda
