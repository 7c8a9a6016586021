// The end of decode attention: one thread block per query row merges the row's pieces by log-sum-exp. Little code: it
// is never in the instruction cache when it is needed.
#pragma once

#include "kvzip/backend/cuda/attend_softmax.cuh"

namespace kvzip::cuda {

inline constexpr int kMergeThreads = 256;
inline constexpr int kMaxRowPieces = 512;
inline constexpr int kPiecesAtOnce = 4;  ///< per warp, whose loads are under way together

/// Lists where a query row's partial results lie among all rows of all slots; returns their number. For all threads of
/// the block; `of_head` counts the query rows of the KV head.
__device__ inline int list_pieces(const DecodeParams& params, int kv_head, int of_head, int (&list)[kMaxRowPieces]) {
  const DecodePlan& plan = params.plan;
  const int rows_per_question = params.tokens * params.group;
  const int rows_per_block = kTileKeys * params.warps_per_stream;
  int total = 0;
  for (int s = 0; s < params.segment_count; ++s) {
    const DecodeSegmentParams& segment = params.segments[s];
    const int set = segment.per_question ? of_head / rows_per_question : 0;
    const int in_set = segment.per_question ? of_head % rows_per_question : of_head;
    const int index =
        kv_head * params.items_per_head + segment.first_item + set * segment.blocks + in_set / rows_per_block;
    const int2 parts = plan.parts_of(index);
    for (int part = parts.x + static_cast<int>(threadIdx.x); part < parts.y; part += blockDim.x) {
      list[total + part - parts.x] = plan.slot(index, part) * params.slot_rows + in_set % rows_per_block;
    }
    total += parts.y - parts.x;
  }
  return total;
}

/// A warp's sum over some pieces of a row; a lane holds four dims of every 128.
template <int kHeadDim>
struct MergedRow {
  static constexpr int kQuads = (kHeadDim / 4 + 31) / 32;
  float maximum = kNoMaximum;
  float sum = 0;
  float4 out[kQuads] = {};

  /// Adds pieces first, first + step, ... of the list.
  __device__ void add(const DecodeParams& params, const int* list, int total, int first, int step, int lane) {
#pragma unroll 1
    for (int begin = first; begin < total; begin += kPiecesAtOnce * step) {
      float2 sums[kPiecesAtOnce];
      float4 part[kPiecesAtOnce][kQuads];
#pragma unroll
      for (int p = 0; p < kPiecesAtOnce; ++p) {
        const int64_t at = list[min(begin + p * step, total - 1)];
        sums[p] = params.partial_sums[at];
#pragma unroll
        for (int q = 0; q < kQuads; ++q) {
          const int quad = min(lane + 32 * q, kHeadDim / 4 - 1);
          part[p][q] = reinterpret_cast<const float4*>(params.partial_out + at * kHeadDim)[quad];
        }
      }
      float raised = maximum;
#pragma unroll
      for (int p = 0; p < kPiecesAtOnce; ++p) raised = fmaxf(raised, sums[p].x);
      scale(exp2_fast(maximum - raised));
      maximum = raised;
#pragma unroll
      for (int p = 0; p < kPiecesAtOnce; ++p) {
        const float weight = begin + p * step < total ? exp2_fast(sums[p].x - maximum) : 0.0F;
        sum += weight * sums[p].y;
#pragma unroll
        for (int q = 0; q < kQuads; ++q) add_quad(out[q], weight, part[p][q]);
      }
    }
  }

  static __device__ void add_quad(float4& to, float weight, const float4& value) {
    to.x += weight * value.x;
    to.y += weight * value.y;
    to.z += weight * value.z;
    to.w += weight * value.w;
  }

  __device__ void scale(float factor) {
    sum *= factor;
#pragma unroll
    for (float4& quad : out) quad = {quad.x * factor, quad.y * factor, quad.z * factor, quad.w * factor};
  }
};

__device__ inline void store_value(void* to, DType type, int64_t index, float value) {
  if (type == DType::f32) {
    static_cast<float*>(to)[index] = value;
  } else if (type == DType::f16) {
    static_cast<__half*>(to)[index] = __float2half(value);
  } else {
    static_cast<__nv_bfloat16*>(to)[index] = __float2bfloat16(value);
  }
}

/// Grid (rows of a KV head, kv_heads).
template <int kHeadDim>
__global__ void __launch_bounds__(kMergeThreads) merge_kernel(const __grid_constant__ DecodeParams params) {
  constexpr int kWarps = kMergeThreads / 32;
  __shared__ int list[kMaxRowPieces];
  __shared__ float2 sums[kWarps];
  __shared__ float4 outs[kWarps][kHeadDim / 4];
  const int row = blockIdx.x;
  const int kv_head = blockIdx.y;
  const int warp = threadIdx.x / 32;
  const int lane = threadIdx.x % 32;
  const int total = list_pieces(params, kv_head, row, list);
  __syncthreads();
  wait_for_previous_kernel();
  let_next_kernel_start();
  MergedRow<kHeadDim> merged;
  merged.add(params, list, total, warp, kWarps, lane);
  if (lane == 0) sums[warp] = {merged.maximum, merged.sum};
#pragma unroll
  for (int q = 0; q < MergedRow<kHeadDim>::kQuads; ++q) {
    if (lane + 32 * q < kHeadDim / 4) outs[warp][lane + 32 * q] = merged.out[q];
  }
  __syncthreads();
  if (threadIdx.x >= kHeadDim) return;
  float maximum = kNoMaximum;
#pragma unroll
  for (const float2& part : sums) maximum = fmaxf(maximum, part.x);
  float sum = 0;
  float out = 0;
#pragma unroll
  for (int w = 0; w < kWarps; ++w) {
    const float weight = exp2_fast(sums[w].x - maximum);
    sum += weight * sums[w].y;
    out += weight * reinterpret_cast<const float*>(outs[w])[threadIdx.x];
  }
  void* line = static_cast<char*>(params.out) + row / params.group * params.out_stride;
  const int64_t at = static_cast<int64_t>(kv_head * params.group + row % params.group) * kHeadDim + threadIdx.x;
  store_value(line, params.out_type, at, sum > 0 ? out / sum : 0.0F);  // zeros for a row that saw nothing
}

}  // namespace kvzip::cuda
