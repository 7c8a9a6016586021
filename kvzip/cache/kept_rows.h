// KeptRows: what is left of a document while it is still being read. Per global layer and KV head a ragged, growing
// stretch of rows in reading order, so that attention reads one stretch per head however often rows came and went.
// Owns its memory; used by one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kvzip/backend/backend.h"
#include "kvzip/cache/shape.h"

namespace kvzip {

class KeptRows {
 public:
  /// Holds nothing yet; rows will be of the shape's dtype, which may be a quantised one. `backend` must outlive it.
  KeptRows(Backend& backend, CacheShape shape);

  /// One head's change: which of its rows stay, and which of another store's rows join them.
  struct Change {
    std::vector<uint32_t> places{};     ///< of the rows that stay, ascending
    std::vector<uint32_t> rows{};       ///< of the other store, ascending
    std::vector<uint32_t> positions{};  ///< in the document, one for each of `rows`; behind all that are held
  };
  /// Throws Error{memory}; the head is then as it was. `scored` counts global layers.
  void update(size_t scored, size_t head, const Change& change, const Segment& from);

  /// Document positions of one head's rows, ascending.
  std::span<const uint32_t> positions(size_t scored, size_t head) const { return head_at(scored, head).positions; }
  /// All rows of a global layer as attend() takes them: every query sees them all.
  Segment segment(size_t layer) const;
  /// Whether any row is held.
  bool empty() const { return pairs() == 0; }
  /// Rows held, over all heads.
  size_t pairs() const;
  /// Bytes of the memory taken, with the room for more.
  size_t bytes() const;
  const CacheShape& shape() const { return shape_; }
  /// Frees one head's memory for good.
  void release(size_t scored, size_t head);

 private:
  struct Head {
    Buffer memory;  // keys, then values
    size_t capacity = 0;
    std::vector<uint32_t> positions;
  };

  const Head& head_at(size_t scored, size_t head) const { return heads_[scored * shape_.kv_heads + head]; }

  Backend* backend_;
  CacheShape shape_;
  std::vector<size_t> place_of_layer_;  // among global layers
  std::vector<Head> heads_;             // [global layers * kv_heads]
  std::vector<KvRows> rows_;            // the same, as attention sees them
};

}  // namespace kvzip
