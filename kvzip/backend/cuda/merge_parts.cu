#include "kvzip/backend/cuda/cuda_check.h"
#include "kvzip/backend/cuda/merge_parts.h"
#include "kvzip/backend/cuda/values.cuh"

namespace kvzip::cuda {
namespace {

constexpr size_t kMostParts = 4;
constexpr unsigned kThreads = 256;
constexpr int kPack = 8;

template <class In>
struct Parts {
  Rows<const In> out[kMostParts];
  const float* log_sums[kMostParts];
  const int32_t* turns[kMostParts];
  const int32_t* lengths[kMostParts];
};

struct Shape {
  size_t tokens, cols, head_dim, group;
};

/// One thread per 8 values. A part whose sum is zero (no key was visible) has a log of -infinity, and no say.
template <class In, class Out>
__global__ void merge(Parts<In> parts, int count, Shape shape, Rows<Out> out, float* log_sums) {
  const size_t packs = shape.cols / kPack;
  const size_t item = static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (item >= shape.tokens * packs) return;
  const size_t token = item / packs;
  const size_t col = item % packs * kPack;
  const size_t head = col / shape.head_dim;
  const size_t at = head * shape.tokens + token;
  const auto log_sum = [&](int p) {
    if (parts.turns[p] == nullptr) return parts.log_sums[p][at];
    const size_t turn = parts.turns[p][head / shape.group];
    if (parts.lengths[p][turn] == 0) return -INFINITY;
    return parts.log_sums[p][(turn * shape.group + head % shape.group) * shape.tokens + token];
  };
  float highest = -INFINITY;
  for (int p = 0; p < count; ++p) highest = fmaxf(highest, log_sum(p));
  float total = 0;
  float sums[kPack] = {};
  for (int p = 0; p < count && highest > -INFINITY; ++p) {
    const float share = expf(log_sum(p) - highest);
    if (share == 0) continue;
    float values[kPack];
    load<kPack>(parts.out[p][token] + col, values);
    total += share;
#pragma unroll
    for (int i = 0; i < kPack; ++i) sums[i] += share * values[i];
  }
#pragma unroll
  for (int i = 0; i < kPack; ++i) sums[i] = total > 0 ? sums[i] / total : 0.0F;
  store<kPack>(sums, out[token] + col);
  if (log_sums != nullptr && col % shape.head_dim == 0) log_sums[at] = highest + logf(total);
}

}  // namespace

void merge_parts(std::span<const AttendedPart> parts, const MergedParts& merged, cudaStream_t stream) {
  const View& out = merged.out;
  check(!parts.empty() && parts.size() <= kMostParts && packs_by(out, kPack) && merged.head_dim % kPack == 0,
        "merge_parts: at most 4 parts, in columns that 8 divides");
  const Shape shape{out.rows, out.cols, merged.head_dim, merged.group};
  with_type(parts[0].out.dtype, [&](auto in) {
    with_activation_type(out.dtype, [&](auto result) {
      using In = decltype(in);
      using Out = decltype(result);
      Parts<In> some{};
      for (size_t p = 0; p < parts.size(); ++p) {
        some.out[p] = rows_as<In>(parts[p].out);
        some.log_sums[p] = parts[p].log_sums;
        some.turns[p] = parts[p].turns;
        some.lengths[p] = parts[p].lengths;
      }
      merge<In, Out><<<blocks_for(out.rows * out.cols / kPack, kThreads), kThreads, 0, stream>>>(
          some, static_cast<int>(parts.size()), shape, rows_as<Out>(out), merged.log_sums);
    });
  });
  check_launch("merging attention");
}

}  // namespace kvzip::cuda
