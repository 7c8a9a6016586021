#include <algorithm>
#include <bit>
#include <cub/device/device_radix_sort.cuh>

#include "kvzip/backend/cuda/cuda_check.h"
#include "kvzip/backend/cuda/ordered_float.cuh"
#include "kvzip/backend/cuda/sort_rows.h"
#include "kvzip/base/check.h"

namespace kvzip::cuda {
namespace {

constexpr int kThreads = 256;
constexpr size_t kMaxHeads = 64;  // their pointers travel as kernel parameters

/// One sort for all heads: the head in the upper half of a key, the score in reverse order in the lower.
__global__ void make_keys_kernel(const float* scores, int64_t count, int64_t len, uint64_t* keys, uint32_t* rows) {
  const int64_t i = blockIdx.x * int64_t{kThreads} + threadIdx.x;
  if (i >= count) return;
  const int64_t head = i / len;
  keys[i] = static_cast<uint64_t>(head) << 32 | ~ordered_bits(scores[i]);
  rows[i] = static_cast<uint32_t>(i - head * len);
}

int key_bits(size_t heads) { return 32 + std::bit_width(heads - 1); }

/// Bytes that CUB wants besides keys and values.
size_t sort_bytes(size_t heads, size_t count) {
  size_t bytes = 0;
  const uint64_t* keys = nullptr;
  const uint32_t* rows = nullptr;
  cuda_check(cub::DeviceRadixSort::SortPairs(nullptr, bytes, keys, static_cast<uint64_t*>(nullptr), rows,
                                             static_cast<uint32_t*>(nullptr), count, 0, key_bits(heads)),
             "size of the sort's memory");
  return bytes;
}

size_t aligned(size_t bytes) { return (bytes + 255) / 256 * 256; }

struct GatherParams {
  const uint32_t* order;
  int64_t order_stride;
  int64_t leading;
  int64_t row_bytes;
  KvRows from[kMaxHeads];
  KvRows to[kMaxHeads];
};

/// Grid (any, heads, keys and values). Threads take a row's words side by side.
template <class Word>
__global__ void gather_kernel(const __grid_constant__ GatherParams params) {
  const KvRows& from = params.from[blockIdx.y];
  const KvRows& to = params.to[blockIdx.y];
  const auto* source = static_cast<const Word*>(blockIdx.z == 0 ? from.k : from.v);
  auto* target = static_cast<Word*>(blockIdx.z == 0 ? to.k : to.v);
  const uint32_t* order = params.order + blockIdx.y * params.order_stride;
  const int64_t words = params.row_bytes / int64_t{sizeof(Word)};
  const int64_t count = static_cast<int64_t>(to.len) * words;
  for (int64_t i = blockIdx.x * int64_t{kThreads} + threadIdx.x; i < count; i += gridDim.x * int64_t{kThreads}) {
    const int64_t row = i / words;
    const int64_t at = row < params.leading ? row : params.leading + order[row - params.leading];
    target[i] = source[at * words + i % words];
  }
}

/// True where all rows can be moved in words of `bytes`.
bool in_words(const GatherArgs& args, size_t bytes) {
  uintptr_t bits = args.row_bytes;
  for (const std::span<const KvRows> heads : {args.from, args.to}) {
    for (const KvRows& rows : heads) bits |= reinterpret_cast<uintptr_t>(rows.k) | reinterpret_cast<uintptr_t>(rows.v);
  }
  return bits % bytes == 0;
}

}  // namespace

size_t rank_rows_workspace_bytes(size_t heads, size_t len) {
  const size_t count = heads * len;
  if (count == 0) return 0;
  return 2 * aligned(count * sizeof(uint64_t)) + aligned(count * sizeof(uint32_t)) + sort_bytes(heads, count);
}

void rank_rows(const float* scores, size_t heads, size_t len, uint32_t* order, void* workspace, cudaStream_t stream) {
  const size_t count = heads * len;
  if (count == 0) return;
  auto* memory = static_cast<char*>(workspace);
  auto* keys = reinterpret_cast<uint64_t*>(memory);
  auto* sorted = reinterpret_cast<uint64_t*>(memory += aligned(count * sizeof(uint64_t)));
  auto* rows = reinterpret_cast<uint32_t*>(memory += aligned(count * sizeof(uint64_t)));
  memory += aligned(count * sizeof(uint32_t));
  make_keys_kernel<<<static_cast<unsigned>((count + kThreads - 1) / kThreads), kThreads, 0, stream>>>(
      scores, static_cast<int64_t>(count), static_cast<int64_t>(len), keys, rows);
  check_launch("keys of the ranking");
  size_t bytes = sort_bytes(heads, count);
  cuda_check(
      cub::DeviceRadixSort::SortPairs(memory, bytes, keys, sorted, rows, order, count, 0, key_bits(heads), stream),
      "sort of the ranking");
}

void gather_in_order(const GatherArgs& args, cudaStream_t stream) {
  check(args.from.size() == args.to.size() && args.to.size() <= kMaxHeads && args.row_bytes % 2 == 0,
        "rows to gather fit the kernel");
  GatherParams params{args.order,
                      static_cast<int64_t>(args.order_stride),
                      static_cast<int64_t>(args.leading),
                      static_cast<int64_t>(args.row_bytes),
                      {},
                      {}};
  std::copy(args.from.begin(), args.from.end(), params.from);
  std::copy(args.to.begin(), args.to.end(), params.to);
  size_t most = 0;
  for (const KvRows& rows : args.to) most = std::max(most, rows.len);
  if (most == 0) return;
  const auto run = [&]<class Word>(Word) {
    constexpr size_t kWordsPerThread = 8;
    const size_t words = most * args.row_bytes / sizeof(Word);
    const size_t blocks = (words + kThreads * kWordsPerThread - 1) / (kThreads * kWordsPerThread);
    const dim3 grid(static_cast<unsigned>(blocks), static_cast<unsigned>(args.to.size()), 2);
    gather_kernel<Word><<<grid, kThreads, 0, stream>>>(params);
  };
  if (in_words(args, 16)) {
    run(uint4{});
  } else if (in_words(args, 4)) {
    run(uint32_t{});
  } else {
    run(uint16_t{});
  }
  check_launch("copy of rows in order");
}

}  // namespace kvzip::cuda
