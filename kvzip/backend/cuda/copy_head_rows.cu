#include <algorithm>
#include <cstring>

#include "kvzip/backend/cuda/copy_head_rows.h"
#include "kvzip/backend/cuda/cuda_check.h"
#include "kvzip/backend/cuda/values.cuh"

namespace kvzip::cuda {
namespace {

constexpr unsigned kThreads = 256;
using Unit = uint4;  ///< what a thread moves

/// One head's part of the work. A plan is an array of them.
struct Move {
  const Unit *k, *v;
  Unit *to_k, *to_v;
  uint64_t first;  ///< of its rows among all
  int64_t index;   ///< of its first one among all indexes; below 0 = none, rows follow each other
};

/// One thread per unit of a key and the same one of its value. Grid: stretches of all rows' units.
__global__ void copy_heads(const Move* moves, unsigned count, const uint32_t* indexes, size_t rows, size_t units) {
  const size_t item = static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  const size_t row = item / units;
  if (row >= rows) return;
  unsigned low = 0;
  for (unsigned high = count; high - low > 1;) {  // the last move that begins at this row or before
    const unsigned middle = (low + high) / 2;
    (moves[middle].first <= row ? low : high) = middle;
  }
  const Move& move = moves[low];
  const size_t at = row - move.first;
  const size_t from = (move.index < 0 ? at : indexes[move.index + at]) * units + item % units;
  const size_t to = at * units + item % units;
  const Unit key = move.k[from];
  const Unit value = move.v[from];
  move.to_k[to] = key;
  move.to_v[to] = value;
}

size_t rows_of(std::span<const HeadGather> heads) {
  size_t rows = 0;
  for (const HeadGather& head : heads) rows += head.count;
  return rows;
}

unsigned moves_of(std::span<const HeadGather> heads) {
  return static_cast<unsigned>(std::ranges::count_if(heads, [](const HeadGather& head) { return head.count > 0; }));
}

}  // namespace

bool can_copy_head_rows(std::span<const HeadGather> heads, DType dtype, size_t head_dim) {
  const auto aligned = [](const void* at) { return reinterpret_cast<uintptr_t>(at) % sizeof(Unit) == 0; };
  return padded_row_bytes(dtype, head_dim) % sizeof(Unit) == 0 &&
         std::ranges::all_of(heads, [&](const HeadGather& head) {
           return aligned(head.from.k) && aligned(head.from.v) && aligned(head.to.k) && aligned(head.to.v);
         });
}

std::vector<std::byte> plan_head_rows(std::span<const HeadGather> heads) {
  std::vector<std::byte> plan(moves_of(heads) * sizeof(Move));
  std::byte* next = plan.data();
  size_t row = 0;
  size_t index = 0;
  for (const HeadGather& head : heads) {
    if (head.count == 0) continue;
    check(head.index.empty() || head.index.size() == head.count, "gather_heads: an index for each row, or none");
    const Move move{static_cast<const Unit*>(head.from.k),
                    static_cast<const Unit*>(head.from.v),
                    static_cast<Unit*>(head.to.k),
                    static_cast<Unit*>(head.to.v),
                    row,
                    head.index.empty() ? -1 : static_cast<int64_t>(index)};
    std::memcpy(next, &move, sizeof(move));
    next += sizeof(move);
    row += head.count;
    index += head.index.size();
  }
  return plan;
}

void copy_head_rows(std::span<const HeadGather> heads, const void* plan, const uint32_t* indexes, size_t row_bytes,
                    cudaStream_t stream) {
  const size_t rows = rows_of(heads);
  const size_t units = row_bytes / sizeof(Unit);
  copy_heads<<<blocks_for(rows * units, kThreads), kThreads, 0, stream>>>(static_cast<const Move*>(plan),
                                                                          moves_of(heads), indexes, rows, units);
  check_launch("gathering rows of heads");
}

}  // namespace kvzip::cuda
