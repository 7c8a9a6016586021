// The four steps of scoring: queries packed by KV head, the log-sum-exp of every query row over its keys, its pieces
// joined, and the maximum of (logit - log-sum-exp) of every column.
//
// Logits are in units of log2(e): the factor is multiplied into the packed queries. Query rows of a KV head are
// numbered token * group + head of the group. Keys count from 0 through [system | chunk | repetition].
#pragma once

#include "kvzip/backend/backend.h"
#include "kvzip/backend/cuda/mma.cuh"

namespace kvzip::cuda {

inline constexpr int kMaxScoredHeads = 64;  ///< their KvRows travel as kernel parameters, 4 KB in all
inline constexpr int kScoreThreads = 128;
inline constexpr int kScoreRows = 128;    ///< rows of a thread block, held in registers; 32 per warp
inline constexpr int kScoreColumns = 64;  ///< rows of a tile in shared memory
inline constexpr int kScoreStages = 3;
inline constexpr int kMaxKeySplits = 4;

struct ScoreParams {
  const void* q;
  DType q_type;
  int64_t q_stride;  ///< in bytes
  float factor;      ///< scale * log2(e)
  int tokens;
  int group;
  int kv_heads;
  int rows;         ///< tokens * group
  int padded_rows;  ///< a multiple of kScoreRows
  int system_len;
  int chunk_begin;
  int chunk_len;
  int first_visible;      ///< rows of the repetition that token 0 sees; each token sees one more
  int key_splits;         ///< blocks that share the keys of kScoreRows rows
  int row_splits;         ///< blocks that share the query rows of kScoreRows columns
  void* packed;           ///< `[kv_heads, padded_rows, head_dim]`
  float* partial_lse;     ///< `[key_splits, kv_heads, padded_rows]`
  float* negative_lse;    ///< `[kv_heads, padded_rows]`; -infinity for rows that don't exist
  const float* log_sums;  ///< as ScoreArgs has them
  float* log_score;
  int64_t log_score_stride;  ///< in values
  const void* document[kMaxScoredHeads];
  const void* repetition[kMaxScoredHeads];
  int repetition_len[kMaxScoredHeads];
};

template <int kHeadDim>
struct ScoreShape {
  static constexpr int kRowBytes = kHeadDim * 2;
  static constexpr int kChunks = kRowBytes / 16;
  static constexpr int kStride = (kChunks | 1) * 16;  // eight rows' chunks of one column lie in different banks
  static constexpr int kSteps = kHeadDim / 16;
  static constexpr int kLseBytes = kScoreColumns * 4;
  static constexpr int kStageBytes = kScoreColumns * kStride + kLseBytes;
  static constexpr int kBytes = kScoreStages * kStageBytes;
  static constexpr int kBlocksPerProcessor = kHeadDim > 128 ? 2 : 3;
};

/// Keys that a token sees.
__device__ inline int visible_keys(const ScoreParams& params, int kv_head, int token) {
  return params.system_len + params.chunk_len + min(params.first_visible + token, params.repetition_len[kv_head]);
}

template <class Element, class Q>
__device__ void pack_row(const ScoreParams& params, const Q* from, Element* to, int head_dim) {
  for (int d = threadIdx.x; d < head_dim; d += blockDim.x) {
    to[d] = static_cast<Element>(params.factor * static_cast<float>(from[d]));
  }
}

/// Grid (tokens, query heads).
template <class Element, int kHeadDim>
__global__ void pack_queries_kernel(const __grid_constant__ ScoreParams params) {
  const int token = blockIdx.x;
  const int head = blockIdx.y;
  const int64_t row =
      static_cast<int64_t>(head / params.group) * params.padded_rows + token * params.group + head % params.group;
  auto* to = static_cast<Element*>(params.packed) + row * kHeadDim;
  const char* line = static_cast<const char*>(params.q) + token * params.q_stride;
  if (params.q_type == DType::f32) {
    pack_row(params, reinterpret_cast<const float*>(line) + head * kHeadDim, to, kHeadDim);
  } else if (params.q_type == DType::f16) {
    pack_row(params, reinterpret_cast<const __half*>(line) + head * kHeadDim, to, kHeadDim);
  } else {
    pack_row(params, reinterpret_cast<const __nv_bfloat16*>(line) + head * kHeadDim, to, kHeadDim);
  }
}

/// A warp's 32 rows as left operands, straight from global memory: rows first .. first + 31, at most `last`.
template <int kHeadDim>
__device__ void load_rows(const void* rows, int first, int last, int lane,
                          uint32_t (&to)[2][ScoreShape<kHeadDim>::kSteps][4]) {
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int row = min(first + lane / 4 + 8 * i, last);
    const auto* from =
        reinterpret_cast<const uint32_t*>(static_cast<const char*>(rows) + static_cast<int64_t>(row) * kHeadDim * 2);
#pragma unroll
    for (int step = 0; step < ScoreShape<kHeadDim>::kSteps; ++step) {
      to[i / 2][step][i % 2] = from[step * 8 + lane % 4];
      to[i / 2][step][i % 2 + 2] = from[step * 8 + lane % 4 + 4];
    }
  }
}

/// sums += rows * the 32 rows of the tile from `first` on.
template <class Element, int kHeadDim>
__device__ void multiply_tile(const uint32_t (&rows)[2][ScoreShape<kHeadDim>::kSteps][4], const char* tile, int first,
                              int lane, float (&sums)[2][4][4]) {
  using Shape = ScoreShape<kHeadDim>;
  const char* row = tile + (first + lane % 8 + lane / 16 * 8) * Shape::kStride + lane / 8 % 2 * 16;
#pragma unroll
  for (int step = 0; step < Shape::kSteps; ++step) {
#pragma unroll
    for (int pair = 0; pair < 2; ++pair) {
      uint32_t columns[4];
      load_matrices(columns, row + pair * 16 * Shape::kStride + step * 32);
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        multiply_add<Element>(sums[i][2 * pair], rows[i][step], columns[0], columns[1]);
        multiply_add<Element>(sums[i][2 * pair + 1], rows[i][step], columns[2], columns[3]);
      }
    }
  }
}

/// Starts the copy of a tile of 64 rows; row_at(i) names the i-th row, null for one that doesn't exist.
template <int kHeadDim, class RowAt>
__device__ void copy_tile(char* tile, const RowAt& row_at) {
  using Shape = ScoreShape<kHeadDim>;
#pragma unroll
  for (int i = 0; i < (kScoreColumns * Shape::kChunks) / kScoreThreads; ++i) {
    const int chunk = threadIdx.x + kScoreThreads * i;
    const int row = chunk / Shape::kChunks;
    const int column = chunk % Shape::kChunks * 16;
    const char* from = row_at(row);
    copy_16_async(tile + row * Shape::kStride + column, from == nullptr ? nullptr : from + column,
                  from == nullptr ? 0 : 16);
  }
}

/// The running log-sum-exp of a lane's columns, for four rows: lane / 4 + 8 i.
struct RunningLse {
  float maximum[4];
  float sum[4];

  __device__ RunningLse() {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      maximum[i] = -1e30F;  // below every logit, yet finite: differences stay defined
      sum[i] = 0;
    }
  }

  __device__ void add(const float (&logits)[2][4][4]) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      float highest = -INFINITY;
#pragma unroll
      for (int n = 0; n < 8; ++n) highest = fmaxf(highest, logits[i / 2][n / 2][i % 2 * 2 + n % 2]);
      if (highest > maximum[i]) {
        sum[i] *= exp2_fast(maximum[i] - highest);
        maximum[i] = highest;
      }
#pragma unroll
      for (int n = 0; n < 8; ++n) sum[i] += exp2_fast(logits[i / 2][n / 2][i % 2 * 2 + n % 2] - maximum[i]);
    }
  }

  /// Of all columns, once merged over the four lanes that share the row; -infinity for none.
  __device__ float merged(int i) const {
    float highest = maximum[i];
    highest = fmaxf(highest, __shfl_xor_sync(~0U, highest, 1));
    highest = fmaxf(highest, __shfl_xor_sync(~0U, highest, 2));
    float total = sum[i] * exp2_fast(maximum[i] - highest);
    total += __shfl_xor_sync(~0U, total, 1);
    total += __shfl_xor_sync(~0U, total, 2);
    return highest + log2f(total);
  }
};

/// Grid (kv_heads, key_splits, blocks of kScoreRows query rows), blocks with most keys first.
template <class Element, int kHeadDim>
__global__ void __launch_bounds__(kScoreThreads, ScoreShape<kHeadDim>::kBlocksPerProcessor)
    lse_kernel(const __grid_constant__ ScoreParams params) {
  extern __shared__ __align__(128) char ring[];
  using Shape = ScoreShape<kHeadDim>;
  const int kv_head = blockIdx.x;
  const int split = blockIdx.y;
  const int block_row = static_cast<int>(gridDim.z - 1 - blockIdx.z) * kScoreRows;
  const int lane = threadIdx.x % 32;
  const int first_row = block_row + threadIdx.x / 32 * 32;

  const int keys = visible_keys(params, kv_head, min(block_row + kScoreRows - 1, params.rows - 1) / params.group);
  const int tiles = (keys + kScoreColumns - 1) / kScoreColumns;
  const int begin = tiles * split / params.key_splits;
  const int end = tiles * (split + 1) / params.key_splits;
  const auto start_copy = [&](int tile) {
    if (tile < end) {
      copy_tile<kHeadDim>(ring + tile % kScoreStages * Shape::kStageBytes, [&](int row) -> const char* {
        const int key = tile * kScoreColumns + row;
        if (key >= keys) return nullptr;
        const int after_system = key - params.system_len;
        const int after_chunk = after_system - params.chunk_len;
        const void* rows = after_chunk < 0 ? params.document[kv_head] : params.repetition[kv_head];
        const int at = after_system < 0 ? key : after_chunk < 0 ? params.chunk_begin + after_system : after_chunk;
        return static_cast<const char*>(rows) + static_cast<int64_t>(at) * Shape::kRowBytes;
      });
    }
    commit_copies();
  };
  for (int i = 0; i < kScoreStages - 1; ++i) start_copy(begin + i);

  uint32_t queries[2][Shape::kSteps][4];
  const char* packed =
      static_cast<const char*>(params.packed) + static_cast<int64_t>(kv_head) * params.padded_rows * Shape::kRowBytes;
  load_rows<kHeadDim>(packed, first_row, params.rows - 1, lane, queries);
  int visible[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    visible[i] = visible_keys(params, kv_head, min(first_row + lane / 4 + 8 * i, params.rows - 1) / params.group);
  }
  const int all_see = visible_keys(params, kv_head, min(first_row, params.rows - 1) / params.group);

  RunningLse lse;
  for (int tile = begin; tile < end; ++tile) {
    wait_for_copies<kScoreStages - 2>();
    __syncthreads();
    start_copy(tile + kScoreStages - 1);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int first_key = tile * kScoreColumns + half * 32;
      float logits[2][4][4] = {};
      multiply_tile<Element, kHeadDim>(queries, ring + tile % kScoreStages * Shape::kStageBytes, half * 32, lane,
                                       logits);
      if (first_key + 32 > all_see) {
#pragma unroll
        for (int i = 0; i < 32; ++i) {
          const int key = first_key + i / 4 % 4 * 8 + lane % 4 * 2 + i % 2;
          if (key >= visible[i / 16 * 2 + i % 4 / 2]) logits[i / 16][i / 4 % 4][i % 4] = -INFINITY;
        }
      }
      lse.add(logits);
    }
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float merged = lse.merged(i);
    const int row = first_row + lane / 4 + 8 * i;
    const int64_t at = static_cast<int64_t>(split * params.kv_heads + kv_head) * params.padded_rows + row;
    if (lane % 4 == 0) params.partial_lse[at] = merged;
  }
}

/// One thread per row of every head, padding included.
__global__ void join_lse_kernel(const __grid_constant__ ScoreParams params) {
  const int count = params.kv_heads * params.padded_rows;
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= count) return;
  float highest = -INFINITY;
  for (int split = 0; split < params.key_splits; ++split) {
    highest = fmaxf(highest, params.partial_lse[static_cast<int64_t>(split) * count + i]);
  }
  float sum = 0;
  for (int split = 0; split < params.key_splits; ++split) {
    sum += exp2f(params.partial_lse[static_cast<int64_t>(split) * count + i] - highest);
  }
  params.negative_lse[i] = i % params.padded_rows < params.rows ? -(highest + log2f(sum)) : -INFINITY;
}

/// In place of both where the sums are known already. One thread per row of every head, padding included.
__global__ void take_lse_kernel(const __grid_constant__ ScoreParams params) {
  constexpr float kLog2OfE = 1.44269504088896F;
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= params.kv_heads * params.padded_rows) return;
  const int row = i % params.padded_rows;
  const int head = i / params.padded_rows * params.group + row % params.group;
  params.negative_lse[i] =
      row < params.rows ? -kLog2OfE * params.log_sums[static_cast<int64_t>(head) * params.tokens + row / params.group]
                        : -INFINITY;
}

/// Raises *to to `value`: bit patterns of floats order as integers, in reverse for negative ones.
__device__ inline void atomic_max(float* to, float value) {
  if (value >= 0) {
    atomicMax(reinterpret_cast<int*>(to), __float_as_int(value));
  } else {
    atomicMin(reinterpret_cast<unsigned*>(to), __float_as_uint(value));
  }
}

/// Grid (blocks of kScoreRows columns, row_splits, kv_heads). Here keys are the rows of the product, so that a column's
/// maximum stays in one register; the sums begin with minus the log-sum-exp.
template <class Element, int kHeadDim>
__global__ void __launch_bounds__(kScoreThreads, ScoreShape<kHeadDim>::kBlocksPerProcessor)
    column_max_kernel(const __grid_constant__ ScoreParams params) {
  extern __shared__ __align__(128) char ring[];
  using Shape = ScoreShape<kHeadDim>;
  const int kv_head = blockIdx.z;
  const int lane = threadIdx.x % 32;
  const int first_column = static_cast<int>(blockIdx.x) * kScoreRows + threadIdx.x / 32 * 32;
  const char* packed =
      static_cast<const char*>(params.packed) + static_cast<int64_t>(kv_head) * params.padded_rows * Shape::kRowBytes;
  const float* negative_lse = params.negative_lse + static_cast<int64_t>(kv_head) * params.padded_rows;

  const int tiles = (params.rows + kScoreColumns - 1) / kScoreColumns;
  const int begin = tiles * static_cast<int>(blockIdx.y) / params.row_splits;
  const int end = tiles * static_cast<int>(blockIdx.y + 1) / params.row_splits;
  const auto start_copy = [&](int tile) {
    if (tile < end) {
      char* to = ring + tile % kScoreStages * Shape::kStageBytes;
      copy_tile<kHeadDim>(to, [&](int row) -> const char* {
        const int at = tile * kScoreColumns + row;
        return at < params.rows ? packed + static_cast<int64_t>(at) * Shape::kRowBytes : nullptr;
      });
      if (threadIdx.x < kScoreColumns / 4) {
        const int at = threadIdx.x * 4;
        copy_16_async(to + kScoreColumns * Shape::kStride + at * 4, negative_lse + tile * kScoreColumns + at, 16);
      }
    }
    commit_copies();
  };
  for (int i = 0; i < kScoreStages - 1; ++i) start_copy(begin + i);

  uint32_t keys[2][Shape::kSteps][4];
  const char* chunk =
      static_cast<const char*>(params.document[kv_head]) + static_cast<int64_t>(params.chunk_begin) * Shape::kRowBytes;
  load_rows<kHeadDim>(chunk, first_column, params.chunk_len - 1, lane, keys);

  float best[4] = {-INFINITY, -INFINITY, -INFINITY, -INFINITY};
  for (int tile = begin; tile < end; ++tile) {
    wait_for_copies<kScoreStages - 2>();
    __syncthreads();
    start_copy(tile + kScoreStages - 1);
    const char* stage = ring + tile % kScoreStages * Shape::kStageBytes;
    const auto* lse = reinterpret_cast<const float2*>(stage + kScoreColumns * Shape::kStride);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float sums[2][4][4];
#pragma unroll
      for (int n = 0; n < 4; ++n) {
        const float2 start = lse[half * 16 + n * 4 + lane % 4];
        sums[0][n][0] = sums[0][n][2] = sums[1][n][0] = sums[1][n][2] = start.x;
        sums[0][n][1] = sums[0][n][3] = sums[1][n][1] = sums[1][n][3] = start.y;
      }
      multiply_tile<Element, kHeadDim>(keys, stage, half * 32, lane, sums);
#pragma unroll
      for (int i = 0; i < 32; ++i) {
        float& highest = best[i / 16 * 2 + i % 4 / 2];
        highest = fmaxf(highest, sums[i / 16][i / 4 % 4][i % 4]);
      }
    }
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    best[i] = fmaxf(best[i], __shfl_xor_sync(~0U, best[i], 1));
    best[i] = fmaxf(best[i], __shfl_xor_sync(~0U, best[i], 2));
    const int column = first_column + lane / 4 + 8 * i;
    if (lane % 4 == 0 && column < params.chunk_len) {
      constexpr float kLogOf2 = 0.693147180559945F;
      atomic_max(params.log_score + kv_head * params.log_score_stride + column, best[i] * kLogOf2);
    }
  }
}

}  // namespace kvzip::cuda
