// How decode attention's keys are dealt out to thread blocks: by number of keys, heads cut anywhere.
//
// An item is one stretch of keys with the query rows that look at all of it: (KV head, segment, set of rows, block of
// query rows). Items lie one after the other on a line measured in units of 16 keys, each with a little extra in front
// for what a piece costs besides its keys. Thread block b works off the b-th of equal parts of the line; what a part
// has of an item is a piece. Piece number part + item is unique and gapless within an item, which makes it the piece's
// slot for partial results.
//
// Every thread block computes the same plan for itself, from lengths that may change from one graph replay to the next.
#pragma once

#include <cstdint>

#include "kvzip/backend/backend.h"

namespace kvzip::cuda {

inline constexpr int kMaxSegments = 4;
inline constexpr int kMaxRowSets = 144;  ///< KvRows of all segments: they travel as kernel parameters, 4 KB in all
inline constexpr int kMaxItems = 192;
inline constexpr int kUnitKeys = 16;
inline constexpr int kPieceUnits = 32;  ///< what a piece costs besides its keys (measured: docs/adr/0007)

struct DecodeSegmentParams {
  int first_row_set;  ///< index of its heads in DecodeParams::rows
  DType dtype;
  bool per_question;
  bool positional;
  int first_position;
  int blocks;      ///< blocks of query rows
  int first_item;  ///< within a KV head
};

struct DecodeParams {
  const void* q;
  void* out;
  DType q_type;
  DType out_type;
  int64_t q_stride;  ///< in bytes, between tokens
  int64_t out_stride;
  int questions;
  int tokens;
  int kv_heads;
  int group;
  int head_dim;
  float factor;  ///< scale * log2(e)
  int window;    ///< at least 1
  const int32_t* positions;
  int warps_per_stream;  ///< warps that read the same keys, 16 query rows each
  int slot_rows;         ///< query rows of a slot
  int items_per_head;
  int segment_count;
  DecodeSegmentParams segments[kMaxSegments];
  float* partial_out;    ///< `[slots, slot_rows, head_dim]`, not yet divided by the sum
  float2* partial_sums;  ///< `[slots, slot_rows]`: maximum and sum
  KvRows rows[kMaxRowSets];
};

/// Rows [begin, end).
struct Keys {
  int begin;
  int end;
};

struct Item {
  uint16_t kv_head;
  uint16_t set;        ///< question of a segment per question, else 0
  uint16_t row_block;  ///< of its query rows
  uint16_t segment;
};

__device__ inline Item item_at(const DecodeParams& params, int index) {
  int in_head = index % params.items_per_head;
  int segment = 0;
  while (segment + 1 < params.segment_count && in_head >= params.segments[segment + 1].first_item) ++segment;
  in_head -= params.segments[segment].first_item;
  Item item;
  item.kv_head = static_cast<uint16_t>(index / params.items_per_head);
  item.set = static_cast<uint16_t>(in_head / params.segments[segment].blocks);
  item.row_block = static_cast<uint16_t>(in_head % params.segments[segment].blocks);
  item.segment = static_cast<uint16_t>(segment);
  return item;
}

__device__ inline const KvRows& rows_of(const DecodeParams& params, const Item& item) {
  return params.rows[params.segments[item.segment].first_row_set + item.set * params.kv_heads + item.kv_head];
}

/// What a query at `position` sees of a segment with `len` rows.
__device__ inline Keys visible_keys(const DecodeSegmentParams& segment, int len, int position, int window) {
  if (!segment.positional) return {0, len};
  const int last = position - segment.first_position;
  return {max(last - window + 1, 0), min(last + 1, len)};
}

/// The keys that any of the item's queries sees, from a whole unit on.
__device__ inline Keys keys_of(const DecodeParams& params, const Item& item) {
  const DecodeSegmentParams& segment = params.segments[item.segment];
  const int len = static_cast<int>(rows_of(params, item).len);
  const int first = segment.per_question ? item.set : 0;
  const int last = segment.per_question ? item.set : params.questions - 1;
  if (!segment.positional) return {0, len};
  Keys keys{len, 0};
  for (int question = first; question <= last; ++question) {
    const int position = params.positions[question];
    keys.begin = min(keys.begin, visible_keys(segment, len, position, params.window).begin);
    keys.end = max(keys.end, visible_keys(segment, len, position + params.tokens - 1, params.window).end);
  }
  keys.begin = keys.begin / kUnitKeys * kUnitKeys;
  return keys;
}

/// In shared memory; see the head of this file.
struct DecodePlan {
  Item item[kMaxItems];
  Keys keys[kMaxItems];
  int start[kMaxItems + 1];  ///< where the item begins on the line
  int items;
  int part_units;

  __device__ int units(int index) const {
    return max(keys[index].end - keys[index].begin + kUnitKeys - 1, 0) / kUnitKeys;
  }
  /// Parts with pieces of the item: [x, y).
  __device__ int2 parts_of(int index) const {
    if (units(index) == 0) return {0, 0};
    return {(start[index] + kPieceUnits) / part_units, (start[index + 1] - 1) / part_units + 1};
  }
  /// The item at the beginning of the part; `items` for a part beyond the end.
  __device__ int first_item(int part) const {
    int low = 0;
    int high = items;  // the first that ends after the part's beginning is in [low, high]
    while (low < high) {
      const int middle = (low + high) / 2;
      if (start[middle + 1] > part * part_units) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low;
  }
  /// The keys of a part's piece of the item, maybe none.
  __device__ Keys piece(int index, int part) const {
    const int first_unit = start[index] + kPieceUnits;
    const int begin = keys[index].begin + max(part * part_units - first_unit, 0) * kUnitKeys;
    const int end = keys[index].begin + max((part + 1) * part_units - first_unit, 0) * kUnitKeys;
    return {begin, min(end, keys[index].end)};
  }
  __device__ int slot(int index, int part) const { return part + index; }
};

/// Computes where items begin; for the threads of one warp. Returns the length of the line.
__device__ inline int place_items(DecodePlan& plan, int lane) {
  int before = 0;
  for (int first = 0; first < plan.items; first += 32) {
    const int units = first + lane < plan.items ? plan.units(first + lane) : 0;
    int end = units == 0 ? 0 : units + kPieceUnits;
    for (int step = 1; step < 32; step *= 2) {
      const int other = __shfl_up_sync(~0U, end, step);
      if (lane >= step) end += other;
    }
    if (first + lane < plan.items) plan.start[first + lane + 1] = before + end;
    before += __shfl_sync(~0U, end, 31);
  }
  return before;
}

/// For all threads of the block; `grid` is the number of blocks that share the work.
__device__ inline void make_plan(const DecodeParams& params, DecodePlan& plan, int grid) {
  const int items = params.kv_heads * params.items_per_head;
  for (int i = threadIdx.x; i < items; i += blockDim.x) {
    plan.item[i] = item_at(params, i);
    plan.keys[i] = keys_of(params, plan.item[i]);
  }
  if (threadIdx.x == 0) {
    plan.items = items;
    plan.start[0] = 0;
  }
  __syncthreads();
  if (threadIdx.x < 32) {
    const int total = place_items(plan, threadIdx.x);
    if (threadIdx.x == 0) plan.part_units = max((total + grid - 1) / grid, 1);
  }
  __syncthreads();
}

}  // namespace kvzip::cuda
