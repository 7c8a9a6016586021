// Radix selection: a histogram of the logits' leading 8 bits tells in which bin the `count`-th largest lies; then of
// the next 8 bits of that bin's logits, and so on. Then a pass takes all that are at least as large.
#include <algorithm>
#include <cfloat>

#include "kvzip/backend/cuda/find_candidates.h"
#include "kvzip/backend/cuda/launch.cuh"
#include "kvzip/backend/cuda/ordered_float.cuh"
#include "kvzip/backend/cuda/values.cuh"

namespace kvzip::cuda {
namespace {

constexpr int kBits = 8;
constexpr int kBins = 1 << kBits;
constexpr int kPasses = 32 / kBits;
constexpr unsigned kThreads = kBins;  ///< one for each bin
constexpr unsigned kMostBlocks = 64;

/// In device memory; zeros at the start.
struct Selection {
  uint32_t prefix;                ///< leading bits of the logit wanted, as far as known
  uint32_t rank;                  ///< of it among the logits with that prefix, from 1
  uint32_t blocks_done[kPasses];  ///< that have added their histograms
  uint32_t bins[kPasses][kBins];
};

/// NaN counts as -infinity, the lowest of all.
__device__ float cleaned(float logit) { return logit >= -FLT_MAX ? fminf(logit, FLT_MAX) : -INFINITY; }

/// The highest bin that has `rank` logits in itself and those above it: its thread sets prefix and rank. All threads.
__device__ void pick_bin(Selection& selection, int pass, uint32_t prefix, uint32_t rank) {
  __shared__ uint32_t sums[kBins];
  const int bin = static_cast<int>(threadIdx.x);
  const uint32_t own = atomicAdd(&selection.bins[pass][bin], 0U);  // past the first-level cache
  sums[bin] = own;
  __syncthreads();
  for (int step = 1; step < kBins; step *= 2) {  // of this bin and those above it
    const uint32_t above = bin + step < kBins ? sums[bin + step] : 0;
    __syncthreads();
    sums[bin] += above;
    __syncthreads();
  }
  if (sums[bin] < rank || sums[bin] - own >= rank) return;
  selection.prefix = prefix << kBits | static_cast<uint32_t>(bin);
  selection.rank = rank - (sums[bin] - own);
}

__global__ void __launch_bounds__(kThreads)
    histogram_kernel(const float* logits, size_t n, uint32_t count, Selection* selection, int pass) {
  __shared__ uint32_t bins[kBins];
  __shared__ bool is_last;
  bins[threadIdx.x] = 0;
  __syncthreads();
  wait_for_previous_kernel();
  let_next_kernel_start();
  const uint32_t prefix = selection->prefix;
  const uint32_t rank = pass == 0 ? count : selection->rank;
  const int shift = 32 - kBits * (pass + 1);
  for (size_t i = size_t{blockIdx.x} * kThreads + threadIdx.x; i < n; i += size_t{gridDim.x} * kThreads) {
    const uint32_t bits = ordered_bits(cleaned(logits[i]));
    if (pass > 0 && bits >> (shift + kBits) != prefix) continue;
    atomicAdd(bins + (bits >> shift & (kBins - 1)), 1U);
  }
  __syncthreads();
  if (bins[threadIdx.x] > 0) atomicAdd(&selection->bins[pass][threadIdx.x], bins[threadIdx.x]);
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) is_last = atomicAdd(&selection->blocks_done[pass], 1U) == gridDim.x - 1;
  __syncthreads();
  if (is_last) pick_bin(*selection, pass, prefix, rank);
}

__global__ void __launch_bounds__(kThreads)
    collect_kernel(const float* logits, size_t n, const Selection* selection, FoundCandidates* found, uint32_t room) {
  wait_for_previous_kernel();
  let_next_kernel_start();
  const uint32_t least = selection->prefix;
  auto* const candidates = reinterpret_cast<Candidate*>(found + 1);
  for (size_t i = size_t{blockIdx.x} * kThreads + threadIdx.x; i < n; i += size_t{gridDim.x} * kThreads) {
    const float logit = cleaned(logits[i]);
    if (ordered_bits(logit) < least || logit == -INFINITY) continue;
    const uint32_t place = atomicAdd(&found->count, 1U);
    if (place < room) candidates[place] = {logit, static_cast<int32_t>(i)};
  }
}

}  // namespace

size_t find_candidates_workspace_bytes() { return sizeof(Selection); }

void find_candidates(const float* logits, size_t n, size_t count, FoundCandidates* found, size_t room, void* workspace,
                     cudaStream_t stream) {
  check(count > 0 && count <= n && n <= UINT32_MAX, "the candidates wanted are among the logits");
  auto* const selection = static_cast<Selection*>(workspace);
  cuda_check(cudaMemsetAsync(selection, 0, sizeof(Selection), stream), "clearing memory");
  cuda_check(cudaMemsetAsync(found, 0, sizeof(FoundCandidates), stream), "clearing memory");
  const unsigned blocks = std::min(blocks_for(n, kThreads), kMostBlocks);
  for (int pass = 0; pass < kPasses; ++pass) {
    launch_overlapping(histogram_kernel, blocks, kThreads, stream, logits, n, static_cast<uint32_t>(count), selection,
                       pass);
  }
  launch_overlapping(collect_kernel, blocks, kThreads, stream, logits, n, selection, found,
                     static_cast<uint32_t>(room));
}

}  // namespace kvzip::cuda
