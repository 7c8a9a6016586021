// How one attention call is cut into work for threads. Plain data made by the calling thread, then only read.
//
// An item is one KV head with some neighbouring tokens; its rows are these tokens' query heads of the group. Where
// there are enough items, threads take whole ones, the longest first. Otherwise (few tokens, long contexts, heads of
// very different lengths) all items' keys are laid end to end and cut into one equal span per thread; items that are
// cut are merged.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kvzip/backend/backend.h"

namespace kvzip::attention {

/// Rows [begin, end) of a segment's head.
struct KeyRange {
  size_t segment;
  size_t begin;
  size_t end;
  bool scored;  ///< these are the columns of the score request

  size_t size() const { return end - begin; }
};

struct Item {
  size_t head;
  size_t first_token;
  size_t tokens;
  std::vector<KeyRange> ranges;  ///< what at least one of the tokens sees, in the order to be walked
  size_t score_ranges;           ///< leading ranges that hold the keys of the scoring softmax; 0 = no scores
  size_t keys;                   ///< in all ranges
  size_t pieces = 0;
  size_t first_piece = 0;
};

/// Keys [begin, end) of an item's ranges laid end to end.
struct Piece {
  size_t item;
  size_t begin;
  size_t end;
};

struct Plan {
  std::vector<Item> items;
  std::vector<Piece> pieces;  ///< those of one item are neighbours
  /// Span s is the pieces order[spans[s]] .. order[spans[s + 1] - 1].
  std::vector<size_t> order;
  std::vector<size_t> spans;
  size_t threads = 1;
  size_t max_rows = 0;  ///< of an item
};

/// Query heads that share a KV head.
inline size_t group_size(const AttendArgs& args) { return args.q.cols / args.head_dim / args.kv_heads; }

/// Rows of a segment that the query at `position` sees, as a half-open range of row numbers within [0, len].
struct RowRange {
  size_t begin;
  size_t end;
};
RowRange visible_rows(const Segment& segment, size_t len, size_t position, size_t window);

/// `item_rows`: query rows that an item may have at most. `threads`: at most so many are used.
Plan make_plan(const AttendArgs& args, size_t item_rows, size_t threads);

}  // namespace kvzip::attention
