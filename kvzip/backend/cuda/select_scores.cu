// Radix selection: a histogram of the scores' leading 11 bits tells in which bin the wanted place lies; then of the
// next 11 bits of that bin's scores, and of the last 10.
#include <algorithm>

#include "kvzip/backend/cuda/cuda_check.h"
#include "kvzip/backend/cuda/ordered_float.cuh"
#include "kvzip/backend/cuda/select_scores.h"
#include "kvzip/base/check.h"

namespace kvzip::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kBins = 2048;
constexpr int kPasses = 3;
constexpr int kShifts[kPasses] = {21, 10, 0};
constexpr int kBits[kPasses] = {11, 11, 10};

/// In device memory; zeros at the start, but for the place.
struct Selection {
  uint32_t prefix;           ///< leading bits of the score wanted, as far as known
  unsigned long long place;  ///< of it among the scores with that prefix
  unsigned long long bins[kPasses][kBins];
};

__global__ void histogram_kernel(const float* scores, size_t count, Selection* selection, int pass, int shift,
                                 int bits) {
  __shared__ unsigned bins[kBins];
  for (int i = threadIdx.x; i < kBins; i += kThreads) bins[i] = 0;
  __syncthreads();
  const uint32_t prefix = selection->prefix;
  const size_t stride = size_t{gridDim.x} * kThreads;
  for (size_t i = blockIdx.x * size_t{kThreads} + threadIdx.x; i < count; i += stride) {
    const uint32_t value = ordered_bits(scores[i]);
    if (pass > 0 && value >> (shift + bits) != prefix) continue;
    atomicAdd(bins + (value >> shift & ((1U << bits) - 1)), 1U);
  }
  __syncthreads();
  for (int i = threadIdx.x; i < kBins; i += kThreads) {
    if (bins[i] != 0) atomicAdd(selection->bins[pass] + i, static_cast<unsigned long long>(bins[i]));
  }
}

/// One block; the search itself is a few thousand additions of one thread.
__global__ void pick_bin_kernel(Selection* selection, int pass, int bits, float* result) {
  __shared__ unsigned long long bins[kBins];
  for (int i = threadIdx.x; i < kBins; i += kThreads) bins[i] = selection->bins[pass][i];
  __syncthreads();
  if (threadIdx.x != 0) return;
  unsigned long long place = selection->place;
  uint32_t bin = (1U << bits) - 1;
  while (bin > 0 && place >= bins[bin]) place -= bins[bin--];
  const uint32_t prefix = selection->prefix << bits | bin;
  selection->prefix = prefix;
  selection->place = place;
  if (pass == kPasses - 1) *result = from_ordered_bits(prefix);
}

/// Grid (any, heads).
__global__ void count_above_kernel(const float* scores, size_t len, const float* threshold, uint32_t* kept) {
  const float limit = *threshold;
  const float* row = scores + blockIdx.y * len;
  unsigned above = 0;
  for (size_t i = blockIdx.x * size_t{kThreads} + threadIdx.x; i < len; i += size_t{gridDim.x} * kThreads) {
    above += row[i] > limit ? 1 : 0;
  }
  above = __reduce_add_sync(~0U, above);
  if (threadIdx.x % 32 == 0) atomicAdd(kept + blockIdx.y, above);
}

__global__ void start_kernel(Selection* selection, unsigned long long place) { selection->place = place; }

}  // namespace

size_t nth_highest_workspace_bytes() { return sizeof(Selection); }

void nth_highest(const float* scores, size_t count, size_t n, float* result, void* workspace, cudaStream_t stream) {
  check(n < count, "the place wanted is among the scores");
  auto* selection = static_cast<Selection*>(workspace);
  cuda_check(cudaMemsetAsync(selection, 0, sizeof(Selection), stream), "clearing of a selection's memory");
  start_kernel<<<1, 1, 0, stream>>>(selection, n);
  constexpr size_t kScoresPerBlock = 1 << 14;
  const auto blocks = static_cast<unsigned>(std::min<size_t>((count + kScoresPerBlock - 1) / kScoresPerBlock, 2048));
  for (int pass = 0; pass < kPasses; ++pass) {
    histogram_kernel<<<blocks, kThreads, 0, stream>>>(scores, count, selection, pass, kShifts[pass], kBits[pass]);
    pick_bin_kernel<<<1, kThreads, 0, stream>>>(selection, pass, kBits[pass], result);
    check_launch("selection");
  }
}

void count_above(const float* scores, size_t heads, size_t len, const float* threshold, uint32_t* kept,
                 cudaStream_t stream) {
  if (heads == 0) return;
  cuda_check(cudaMemsetAsync(kept, 0, heads * sizeof(uint32_t), stream), "clearing of counts");
  if (len == 0) return;
  const auto blocks = static_cast<unsigned>(std::min<size_t>((len + 4095) / 4096, 64));
  count_above_kernel<<<dim3(blocks, static_cast<unsigned>(heads)), kThreads, 0, stream>>>(scores, len, threshold, kept);
  check_launch("counting of kept rows");
}

}  // namespace kvzip::cuda
