// Tail: the chronological, growable, dense KV store of a prefill, a repetition or a conversation.
// Owns its memory; used by one thread at a time.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "kvzip/backend/backend.h"
#include "kvzip/cache/shape.h"

namespace kvzip {

class Tail {
 public:
  /// An empty tail whose first row will stand at `first_position`. `backend` must outlive it.
  Tail(Backend& backend, CacheShape shape, size_t first_position);

  /// Makes room for `rows` more rows in one step (sliding layers: for as many as a batch of `batch` rows needs).
  /// Throws Error{memory}.
  void reserve(size_t rows, size_t batch);
  /// An empty tail behind this one's last row, or whose rows stand further behind, at `first_position`. While it fits,
  /// its rows of global layers lie in the room that is reserved behind this one's rows, so that both are one stretch of
  /// memory to a backend that can use that. This tail must outlive it and stay as it is meanwhile; one continuation at
  /// a time.
  Tail continuation() const { return continuation(end_position()); }
  Tail continuation(size_t first_position) const;
  /// Adds `rows` rows to one layer, for the caller to write: the last ones of the heads returned, which count them. As
  /// append() otherwise.
  std::span<const KvRows> extend(size_t index, size_t rows);
  /// Adds the rows k and v, `[tokens, kv_heads * head_dim]` f32, to one layer. Sliding layers drop what no later query
  /// can see.
  void append(size_t index, const ConstView& k, const ConstView& v);
  /// Adds rows [begin, begin + count) that another tail of this shape holds of that layer.
  void append_rows(size_t index, const Tail& from, size_t begin, size_t count);
  /// Drops all rows at positions >= `end`: undoes appends that didn't finish.
  void truncate(size_t end);
  /// Of global layers, drops the rows [begin, begin + count): those behind them move up, and all that is left from then
  /// on stands right before the next row that is appended, so that rows read later see the first ones as they saw them
  /// before. Sliding layers stay.
  void drop_rows(size_t begin, size_t count);
  /// Frees one layer's memory for good.
  void release_layer(size_t index);

  /// Position after the last row (of layer 0, which is always appended to first).
  size_t end_position() const { return layers_.front().end(); }
  size_t first_position() const { return first_position_; }
  /// All rows of one layer that are held, `[kv_heads][len][head_dim]`, as attend() takes them.
  Segment segment(size_t index) const;
  const CacheShape& shape() const { return shape_; }
  /// Bytes of the rows held (not of room reserved for more).
  size_t bytes() const;

 private:
  struct Layer {
    Buffer memory;        // keys of all heads, then values of all heads; empty where the rows lie in another tail's
    size_t capacity = 0;  // rows per head that fit
    size_t first_position = 0;
    std::vector<KvRows> heads;

    size_t len() const { return heads.front().len; }
    size_t end() const { return first_position + len(); }
  };

  void drop_unseen(Layer& layer, size_t window);
  void grow(Layer& layer, size_t capacity);

  Backend* backend_;
  CacheShape shape_;
  size_t first_position_;
  std::vector<Layer> layers_;
};

}  // namespace kvzip
