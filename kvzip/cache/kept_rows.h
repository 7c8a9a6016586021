// KeptRows: what is left of a document while it is still being read. Per global layer and KV head a ragged, growing
// stretch of rows in reading order, so that attention reads one stretch per head however often rows came and went; all
// of a layer's lie in one piece of memory. Owns its memory; used by one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
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
    std::optional<std::vector<uint32_t>> places{};  ///< of the rows that stay, ascending; none = all of them
    std::vector<uint32_t> rows{};                   ///< of the other store, ascending
    std::vector<uint32_t> positions{};  ///< in the document, one for each of `rows`; behind all that are held
  };
  /// Of all heads of a layer; `scored` counts global layers. Moves the whole layer. Throws Error{memory}; the layer is
  /// then as it was.
  void update(size_t scored, std::span<const Change> changes, const Segment& from);

  /// Document positions of one head's rows, ascending.
  std::span<const uint32_t> positions(size_t scored, size_t head) const {
    return positions_[scored * shape_.kv_heads + head];
  }
  /// All rows of a global layer as attend() takes them: every query sees them all.
  Segment segment(size_t layer) const;
  /// Whether any row is held.
  bool empty() const { return pairs() == 0; }
  /// Rows held, over all heads.
  size_t pairs() const;
  /// Bytes of the memory taken.
  size_t bytes() const;
  const CacheShape& shape() const { return shape_; }
  /// Frees one layer's memory for good.
  void release(size_t scored);

 private:
  Backend* backend_;
  CacheShape shape_;
  std::vector<size_t> place_of_layer_;            // among global layers
  std::vector<Buffer> memory_;                    // per global layer: keys of all heads, then values of all heads
  std::vector<KvRows> rows_;                      // [global layers * kv_heads]
  std::vector<std::vector<uint32_t>> positions_;  // the same
};

}  // namespace kvzip
