// The running softmax of 16 query rows in the registers of a warp (flash attention), and what it leaves behind.
#pragma once

#include "kvzip/backend/cuda/attend_plan.cuh"
#include "kvzip/backend/cuda/kv_tile.cuh"

namespace kvzip::cuda {

inline constexpr float kNoMaximum = -1e30F;  ///< below every logit, yet finite: differences stay defined

__device__ inline int rows_in_set(const DecodeParams& params, const Item& item) {
  const int rows = params.tokens * params.group;
  return params.segments[item.segment].per_question ? rows : rows * params.questions;
}

/// Row of q, and of out, that holds the item's query row.
__device__ inline int token_of(const DecodeParams& params, const Item& item, int row) {
  return item.set * params.tokens + row / params.group;
}

/// The running softmax of 16 query rows; a lane holds parts of rows lane / 4 and lane / 4 + 8.
template <class Tile, int kHeadDim>
struct RunningSoftmax {
  uint32_t queries[Tile::kDims / 16][4];
  float out[Tile::kDims / 8][4];
  float maximum[2] = {kNoMaximum, kNoMaximum};
  float sum[2] = {0, 0};  ///< of this lane's columns
  Keys visible[2];        ///< keys that the two rows see
  Keys all_see;           ///< keys that all 16 rows see

  static constexpr int kQueryStride =
      Tile::kDims * 2 + 16;  ///< bytes; eight rows' words of one column: different banks

  /// Converts the warp's query rows, as they lie in memory, into shared memory. Of rows that don't exist nothing is
  /// written: their results, whatever they are, are not used.
  template <class Q>
  __device__ void convert_queries(const DecodeParams& params, const Item& item, int first_row, int rows, int lane,
                                  char* scratch) {
    struct alignas(4 * sizeof(Q)) Quad {
      Q value[4];
    };
    const int own = min(first_row + lane % kTileKeys, rows - 1);  // the row whose address this lane works out
    const int64_t own_offset = token_of(params, item, own) * params.q_stride +
                               (item.kv_head * params.group + own % params.group) * (kHeadDim * int{sizeof(Q)});
    const int count = min(rows - first_row, kTileKeys);
#pragma unroll 4
    for (int row = 0; row < count; ++row) {
      const char* from = static_cast<const char*>(params.q) + __shfl_sync(~0U, own_offset, row);
#pragma unroll
      for (int quad = lane; quad < kHeadDim / 4; quad += 32) {
        const Quad values = reinterpret_cast<const Quad*>(from)[quad];
        const auto scaled_value = [&](int i) { return params.factor * static_cast<float>(values.value[i]); };
        using Element = typename Tile::Element;
        *reinterpret_cast<uint2*>(scratch + row * kQueryStride + quad * 8) = {
            pack_pair<Element>(scaled_value(0), scaled_value(1)), pack_pair<Element>(scaled_value(2), scaled_value(3))};
      }
    }
  }

  __device__ void load_queries(const DecodeParams& params, const Item& item, int first_row, int rows, int lane,
                               char* scratch) {
    if constexpr (Tile::kDims != kHeadDim) {
      for (int i = lane; i < kTileKeys * kQueryStride / 16; i += 32)
        reinterpret_cast<uint4*>(scratch)[i] = {0, 0, 0, 0};
      __syncwarp();
    }
    if (params.q_type == DType::f32) {
      convert_queries<float>(params, item, first_row, rows, lane, scratch);
    } else if (params.q_type == DType::f16) {
      convert_queries<__half>(params, item, first_row, rows, lane, scratch);
    } else {
      convert_queries<__nv_bfloat16>(params, item, first_row, rows, lane, scratch);
    }
    __syncwarp();
#pragma unroll
    for (int i = 0; i < Tile::kDims / 8; ++i) {
      const int dim = Tile::query_dim(i / 2, i % 2, lane % 4, 0);
      const int second = Tile::query_dim(i / 2, i % 2, lane % 4, 1);
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        const char* row = scratch + (lane / 4 + 8 * r) * kQueryStride;
        uint32_t& pair = queries[i / 2][i % 2 * 2 + r];
        if constexpr (Tile::kPairsAreNeighbours) {
          pair = *reinterpret_cast<const uint32_t*>(row + dim * 2);
        } else {
          pair = *reinterpret_cast<const uint16_t*>(row + dim * 2) |
                 static_cast<uint32_t>(*reinterpret_cast<const uint16_t*>(row + second * 2)) << 16;
        }
      }
    }
  }

  /// `scratch` is shared memory of the warp, for 16 rows.
  __device__ void start(const DecodeParams& params, const Item& item, const Keys& keys, int first_row, int lane,
                        char* scratch) {
    const DecodeSegmentParams& segment = params.segments[item.segment];
    const int rows = rows_in_set(params, item);
    load_queries(params, item, first_row, rows, lane, scratch);
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const int token = token_of(params, item, min(first_row + lane / 4 + 8 * r, rows - 1));
      const int position = segment.positional ? params.positions[token / params.tokens] + token % params.tokens : 0;
      visible[r] = visible_keys(segment, keys.end, position, params.window);
    }
    all_see = {max(visible[0].begin, visible[1].begin), min(visible[0].end, visible[1].end)};
    for (int step = 4; step < 32; step *= 2) {
      all_see.begin = max(all_see.begin, __shfl_xor_sync(~0U, all_see.begin, step));
      all_see.end = min(all_see.end, __shfl_xor_sync(~0U, all_see.end, step));
    }
#pragma unroll
    for (auto& tile : out) tile[0] = tile[1] = tile[2] = tile[3] = 0;
  }

  __device__ void hide(int first_key, int lane, float (&logits)[2][4]) const {
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const int key = first_key + i / 4 * 8 + lane % 4 * 2 + i % 2;
      const Keys& seen = visible[i % 4 / 2];
      if (key < seen.begin || key >= seen.end) logits[i / 4][i % 4] = -INFINITY;
    }
  }

  /// Takes in keys first_key .. first_key + 15.
  __device__ void add(const char* keys, const char* values, int first_key, int lane) {
    float logits[2][4] = {};
    Tile::add_logits(queries, keys, lane, logits);
    if (first_key < all_see.begin || first_key + kTileKeys > all_see.end) hide(first_key, lane, logits);
    float highest[2];
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      highest[r] = fmaxf(fmaxf(logits[0][2 * r], logits[0][2 * r + 1]), fmaxf(logits[1][2 * r], logits[1][2 * r + 1]));
      highest[r] = fmaxf(highest[r], __shfl_xor_sync(~0U, highest[r], 1));
      highest[r] = fmaxf(highest[r], __shfl_xor_sync(~0U, highest[r], 2));
    }
    if (__any_sync(~0U, highest[0] > maximum[0] || highest[1] > maximum[1])) raise_maximum(highest);
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      float& logit = logits[i / 4][i % 4];
      logit = exp2_fast(logit - maximum[i % 4 / 2]);
      sum[i % 4 / 2] += logit;
    }
    using Element = typename Tile::Element;
    const uint32_t weights[4] = {
        pack_pair<Element>(logits[0][0], logits[0][1]), pack_pair<Element>(logits[0][2], logits[0][3]),
        pack_pair<Element>(logits[1][0], logits[1][1]), pack_pair<Element>(logits[1][2], logits[1][3])};
    Tile::add_values(weights, values, lane, out);
  }

  /// Makes sum[r] that of all columns. Once, in the end.
  __device__ void finish() {
#pragma unroll
    for (float& of_row : sum) {
      of_row += __shfl_xor_sync(~0U, of_row, 1);
      of_row += __shfl_xor_sync(~0U, of_row, 2);
    }
  }

  __device__ void raise_maximum(const float (&highest)[2]) {
    float factor[2];
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const float raised = fmaxf(maximum[r], highest[r]);
      factor[r] = exp2_fast(maximum[r] - raised);
      maximum[r] = raised;
      sum[r] *= factor[r];
    }
#pragma unroll
    for (auto& tile : out) {
      tile[0] *= factor[0];
      tile[1] *= factor[0];
      tile[2] *= factor[1];
      tile[3] *= factor[1];
    }
  }
};

/// What a warp leaves in shared memory for the merge: of some of its rows the maxima, sums and outputs.
template <int kHeadDim>
struct WarpResult {
  static constexpr int kRows = 4;  ///< at once: shared memory is for tiles
  float maximum[kRows];
  float sum[kRows];
  float out[kRows][kHeadDim + 8];  // rows 8 banks apart

  /// Stores the rows from `first` on, a multiple of kRows.
  template <class Tile>
  __device__ void store(const RunningSoftmax<Tile, kHeadDim>& from, int first, int lane) {
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const int row = lane / 4 + 8 * r - first;
      if (row < 0 || row >= kRows) continue;
      if (lane % 4 == 0) {
        maximum[row] = from.maximum[r];
        sum[row] = from.sum[r];
      }
#pragma unroll
      for (int tile = 0; tile < Tile::kDims / 8; ++tile) {
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          const int dim = Tile::value_dim(tile, lane % 4 * 2 + i);
          if (Tile::kDims == kHeadDim || dim < kHeadDim) out[row][dim] = from.out[tile][2 * r + i];
        }
      }
    }
  }
};

}  // namespace kvzip::cuda
