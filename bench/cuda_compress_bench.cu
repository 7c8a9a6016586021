// Compression on a GPU at 122,880 tokens of Llama 3.1 8B's shape: selection over all scores, ranking of every head,
// copy of the rows kept at 0.3, each in seconds for the whole document.
#include <numeric>

#include "bench/cuda_bench.cuh"
#include "kvzip/backend/cuda/select_scores.h"
#include "kvzip/backend/cuda/sort_rows.h"

namespace kvzip::bench {
namespace {

constexpr size_t kLayers = 32;
constexpr size_t kHeads = 8;
constexpr size_t kLen = 122880;
constexpr size_t kRowBytes = 256;

/// Random floats in (0, 1], small ones more often.
__global__ void fill_scores_kernel(float* scores, size_t count) {
  for (size_t i = blockIdx.x * size_t{blockDim.x} + threadIdx.x; i < count; i += size_t{gridDim.x} * blockDim.x) {
    scores[i] = exp2f(-20.0F * static_cast<float>(mixed(static_cast<uint32_t>(i)) >> 8) / (1 << 24));
  }
}

void run() {
  const size_t count = kLayers * kHeads * kLen;
  const DeviceMemory scores(count * sizeof(float));
  auto* values = reinterpret_cast<float*>(scores.data());
  fill_scores_kernel<<<1024, 256>>>(values, count);
  expect(cudaGetLastError());
  const DeviceMemory selection(cuda::nth_highest_workspace_bytes());
  const DeviceMemory threshold(sizeof(float));
  const DeviceMemory kept(kLayers * kHeads * sizeof(uint32_t));
  const double select = graph_seconds([&](cudaStream_t stream) {
    auto* result = reinterpret_cast<float*>(threshold.data());
    cuda::nth_highest(values, count, count * 3 / 10, result, selection.data(), stream);
    cuda::count_above(values, kLayers * kHeads, kLen, result, reinterpret_cast<uint32_t*>(kept.data()), stream);
  });

  const DeviceMemory workspace(cuda::rank_rows_workspace_bytes(kHeads, kLen));
  const DeviceMemory order(kHeads * kLen * sizeof(uint32_t));
  auto* places = reinterpret_cast<uint32_t*>(order.data());
  const double rank = graph_seconds([&](cudaStream_t stream) {
    for (size_t layer = 0; layer < kLayers; ++layer) {
      cuda::rank_rows(values + layer * kHeads * kLen, kHeads, kLen, places, workspace.data(), stream);
    }
  });

  const DeviceMemory from(2 * kHeads * kLen * kRowBytes);
  const DeviceMemory to(2 * kHeads * kLen * kRowBytes);
  fill_random(from.data(), from.bytes(), DType::bf16);
  std::vector<KvRows> source;
  std::vector<KvRows> target;
  for (size_t h = 0; h < kHeads; ++h) {
    const size_t at = 2 * h * kLen * kRowBytes;
    const size_t half = kLen * kRowBytes;
    source.push_back({from.data() + at, from.data() + at + half, kLen});
    target.push_back({to.data() + at, to.data() + at + half, kLen * 3 / 10});
  }
  const double gather = graph_seconds([&](cudaStream_t stream) {
    for (size_t layer = 0; layer < kLayers; ++layer) {
      cuda::gather_in_order({source, target, places, kLen, 0, kRowBytes}, stream);
    }
  });
  const double moved = 2.0 * 2 * kLayers * kHeads * (kLen * 3 / 10) * kRowBytes;
  std::printf("selection %.2f ms, ranking %.2f ms, copy at 0.3 %.2f ms (%.0f GB/s); together %.2f ms\n", select * 1e3,
              rank * 1e3, gather * 1e3, moved / gather * 1e-9, (select + rank + gather) * 1e3);
}

}  // namespace
}  // namespace kvzip::bench

int main() { kvzip::bench::run(); }
