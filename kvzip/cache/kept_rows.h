// KeptRows: what is left of a document while it is still being read. Per global layer and KV head a ragged, growing
// stretch of rows in reading order, so that attention reads one stretch per head however often rows came and went; all
// of a layer's lie in one piece of memory, each head's with some room behind them, so that new ones mostly join where
// the others lie. Owns its memory; used by one thread at a time.
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
  /// Holds nothing yet; rows will be of the shape's dtype, which may be a quantised one. `most` is how many rows all
  /// heads will hold together: memory for them is taken with the first ones, each layer's share as theirs, and up to an
  /// eighth more where shares change. More can be held, without any room. `backend` must outlive it.
  KeptRows(Backend& backend, CacheShape shape, size_t most);

  /// One head's change: which of its rows stay, and which of another store's rows join them.
  struct Change {
    std::optional<std::vector<uint32_t>> places{};  ///< of the rows that stay, ascending; none = all of them
    std::vector<uint32_t> rows{};                   ///< of the other store, ascending
    std::vector<uint32_t> positions{};  ///< in the document, one for each of `rows`; behind all that are held
    std::vector<float> scores{};        ///< one for each of `rows`
  };
  /// Of all heads, `[global layers * kv_heads]`; `from` are the rows to join, a segment for each global layer, all of
  /// one type. A layer's rows move where some of them go or a head has no room left: within the layer's memory, or
  /// where that is too small, into other memory. Throws Error{memory}, after which it is no longer complete.
  void update(std::span<const Change> changes, std::span<const Segment> from);

  /// Document positions of one head's rows, ascending.
  std::span<const uint32_t> positions(size_t scored, size_t head) const {
    return positions_[scored * shape_.kv_heads + head];
  }
  /// Their scores.
  std::span<const float> scores(size_t scored, size_t head) const { return scores_[scored * shape_.kv_heads + head]; }
  /// All rows of a global layer as attend() takes them: every query sees them all.
  Segment segment(size_t layer) const;
  /// Whether any row is held.
  bool empty() const { return pairs() == 0; }
  /// Rows held, over all heads.
  size_t pairs() const;
  /// Bytes of the memory taken.
  size_t bytes() const;
  /// Bytes that `most` rows of all heads will need, those to move a layer among them, where layers' shares don't
  /// change.
  static size_t expected_bytes(const CacheShape& shape, size_t most);
  const CacheShape& shape() const { return shape_; }
  /// Frees one layer's memory for good.
  void release(size_t scored);

 private:
  enum class Move { none, within, away };

  void make_room(std::span<const Change> changes, std::span<const size_t> needed);
  std::vector<Move> moves_of(std::span<const Change> changes, std::span<const size_t> needed, double room) const;
  void move(size_t scored, std::span<const Change> changes, std::span<const size_t> needed, double room,
            const Buffer* scratch);
  void join(std::span<const Change> changes, std::span<const Segment> from);

  Backend* backend_;
  CacheShape shape_;
  size_t most_;
  std::vector<size_t> place_of_layer_;            // among global layers
  std::vector<Buffer> memory_;                    // per global layer: keys of all heads, then values of all heads
  std::vector<KvRows> rows_;                      // [global layers * kv_heads]
  std::vector<size_t> capacity_;                  // rows that each has memory for
  std::vector<std::vector<uint32_t>> positions_;  // the same, of each row
  std::vector<std::vector<float>> scores_;
};

}  // namespace kvzip
