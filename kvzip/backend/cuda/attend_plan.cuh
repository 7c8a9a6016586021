// How decode attention's keys are dealt out to thread blocks: by number of keys, heads cut anywhere.
//
// An item is one stretch of keys with the query rows that look at all of it: (KV head, segment, set of rows, block of
// query rows). Items lie one after the other on a line measured in units of 16 keys, each with a little extra in front
// for what a piece costs besides its keys. Thread block b works off the b-th of equal parts of the line; what a part
// has of an item is a piece. Piece number part + item is unique and gapless within an item, which makes it the piece's
// slot for partial results.
//
// The host makes the plan, as it knows all lengths and positions; it travels as a parameter of the kernels.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kvzip/backend/backend.h"

namespace kvzip::cuda {

inline constexpr int kMaxSegments = 4;
inline constexpr int kMaxRowSets = 144;  ///< KvRows of all segments
inline constexpr int kMaxItems = 192;
inline constexpr int kUnitKeys = 16;
/// What a piece counts besides its keys when the line is cut. With few items far more than it costs: most blocks then
/// have one piece, and the kernels behind attention can begin on processors that have little (docs/adr/0012).
inline constexpr int kPieceUnits = 32;
inline constexpr int kPieceUnitsOfFew = 192;
inline constexpr int kBlocksPerItemOfFew = 8;  ///< few items have at least as many blocks each

struct DecodeSegmentParams {
  int first_row_set;  ///< index of its heads in DecodeParams::rows
  DType dtype;
  bool per_question;
  bool positional;
  int first_position;
  int blocks;      ///< blocks of query rows
  int first_item;  ///< within a KV head
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

/// See the head of this file.
struct DecodePlan {
  Item item[kMaxItems];
  Keys keys[kMaxItems];
  int start[kMaxItems + 1];  ///< where the item begins on the line
  int items;
  int part_units;
  int piece_units;  ///< that a piece counts besides its keys

  __host__ __device__ int units(int index) const {
    const int length = keys[index].end - keys[index].begin;
    return length > 0 ? (length + kUnitKeys - 1) / kUnitKeys : 0;
  }
  /// Parts with pieces of the item: [x, y).
  __device__ int2 parts_of(int index) const {
    if (units(index) == 0) return {0, 0};
    return {(start[index] + piece_units) / part_units, (start[index + 1] - 1) / part_units + 1};
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
    const int first_unit = start[index] + piece_units;
    const int begin = keys[index].begin + max(part * part_units - first_unit, 0) * kUnitKeys;
    const int end = keys[index].begin + max((part + 1) * part_units - first_unit, 0) * kUnitKeys;
    return {begin, min(end, keys[index].end)};
  }
  __device__ int slot(int index, int part) const { return part + index; }
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
  float factor;          ///< scale * log2(e)
  int window;            ///< at least 1
  int warps_per_stream;  ///< warps that read the same keys, 16 query rows each
  int slot_rows;         ///< query rows of a slot
  int items_per_head;
  int segment_count;
  DecodeSegmentParams segments[kMaxSegments];
  float* partial_out;          ///< `[slots, slot_rows, head_dim]`, not yet divided by the sum
  float2* partial_sums;        ///< `[slots, slot_rows]`: maximum and sum
  int positions[kMaxRowSets];  ///< of each question's first token
  KvRows rows[kMaxRowSets];
  DecodePlan plan;
};

__host__ __device__ inline Item item_at(const DecodeParams& params, int index) {
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

__host__ __device__ inline const KvRows& rows_of(const DecodeParams& params, const Item& item) {
  return params.rows[params.segments[item.segment].first_row_set + item.set * params.kv_heads + item.kv_head];
}

/// What a query at `position` sees of a segment with `len` rows.
__host__ __device__ inline Keys visible_keys(const DecodeSegmentParams& segment, int len, int position, int window) {
  if (!segment.positional) return {0, len};
  const int last = position - segment.first_position;
  return {last >= window ? last - window + 1 : 0, last + 1 < len ? last + 1 : len};
}

/// The keys that any of the item's queries sees, from a whole unit on.
inline Keys keys_of(const DecodeParams& params, const Item& item) {
  const DecodeSegmentParams& segment = params.segments[item.segment];
  const int len = static_cast<int>(rows_of(params, item).len);
  const int first = segment.per_question ? item.set : 0;
  const int last = segment.per_question ? item.set : params.questions - 1;
  if (!segment.positional) return {0, len};
  Keys keys{len, 0};
  for (int question = first; question <= last; ++question) {
    const int position = params.positions[question];
    keys.begin = std::min(keys.begin, visible_keys(segment, len, position, params.window).begin);
    keys.end = std::max(keys.end, visible_keys(segment, len, position + params.tokens - 1, params.window).end);
  }
  keys.begin = keys.begin / kUnitKeys * kUnitKeys;
  return keys;
}

/// Fills params.plan, when all else is filled in, for `grid` blocks that share the work.
inline void make_plan(DecodeParams& params, int grid) {
  DecodePlan& plan = params.plan;
  plan.items = params.kv_heads * params.items_per_head;
  plan.piece_units = plan.items * kBlocksPerItemOfFew <= grid ? kPieceUnitsOfFew : kPieceUnits;
  plan.start[0] = 0;
  for (int i = 0; i < plan.items; ++i) {
    plan.item[i] = item_at(params, i);
    plan.keys[i] = keys_of(params, plan.item[i]);
    const int units = plan.units(i);
    plan.start[i + 1] = plan.start[i] + (units == 0 ? 0 : units + plan.piece_units);
  }
  plan.part_units = std::max((plan.start[plan.items] + grid - 1) / grid, 1);
}

}  // namespace kvzip::cuda
