// Context: the immutable, score-ordered memory of a document. Per layer and KV head its rows stand in the order
// [system prompt | document rows, most important first], so that every keep ratio is a prefix of every head.
// Sliding-window layers keep their last rows in reading order instead.
//
// Owns its memory. Reading it is safe from any number of threads; only shrink() changes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kvzip/backend/backend.h"
#include "kvzip/cache/keep.h"
#include "kvzip/cache/kept_rows.h"
#include "kvzip/cache/scores.h"
#include "kvzip/cache/shape.h"
#include "kvzip/cache/tail.h"

namespace kvzip {

/// The rows of a finished context in host memory, as a file holds them: all that a Context is made of.
struct ContextRows {
  struct Head {
    const std::byte* k = nullptr;  ///< rows head_row_bytes() apart
    const std::byte* v = nullptr;
    size_t len = 0;
  };
  CacheShape shape;
  size_t system_len = 0;
  size_t read_tokens = 0;
  Scores scores{};                             ///< those of rows that aren't held may be any that are lower
  std::vector<std::vector<uint32_t>> order{};  ///< `[scored layers * kv_heads]` positions of the rows held
  Keep held{};
  std::vector<Head> heads{};             ///< `[layers * kv_heads]`
  std::shared_ptr<const void> memory{};  ///< what the heads point into; kept as long as the context
};

class Context {
 public:
  /// Builds the context from the tail of a prefill, layer by layer, freeing each layer of the tail as soon as it is
  /// copied, so that two full caches never exist. `system_len` rows lead, then of each head the `keep` highest-scored
  /// rows (ties in reading order), as `dtype`: the tail's, or q8_0 or q4_0. If this throws Error{memory}, the tail is
  /// no longer complete.
  static Context from_tail(Backend& backend, Tail&& tail, size_t system_len, Scores scores, const Keep& keep,
                           DType dtype);
  /// The same where most rows are gone already: the system prompt's rows lead the tail's global layers, and what is
  /// left of the document is in `kept`, at least `keep` of each head; its highest-scored rows become the context's,
  /// layer by layer. Throws Error{memory}, after which neither is complete.
  static Context from_kept(Backend& backend, Tail&& tail, KeptRows&& kept, size_t system_len, Scores scores,
                           const Keep& keep);
  /// A context over rows that are there already: used where they lie on devices that read host memory, copied to
  /// others. Throws Error{memory}.
  static Context from_rows(Backend& backend, ContextRows rows);

  Backend& backend() const { return *backend_; }
  const CacheShape& shape() const { return shape_; }
  /// System and document tokens that were read: the position at which a question starts.
  size_t read_tokens() const { return read_tokens_; }
  size_t system_len() const { return system_len_; }
  size_t document_len() const { return read_tokens_ - system_len_; }
  /// Layers that are scored and compressed.
  std::span<const size_t> scored_layers() const { return scored_layers_; }
  /// The scores the rows are ordered by, in reading order.
  const Scores& scores() const { return scores_; }
  /// Document positions (0 = first document token) of one head's rows, in stored order; `layer` counts scored layers.
  std::span<const uint32_t> order(size_t layer, size_t head) const { return order_[layer * shape_.kv_heads + head]; }
  /// Rows held per head: the largest keep this context can serve.
  const Keep& held() const { return held_; }
  /// Bytes of all rows held.
  size_t bytes() const;
  /// Bytes of the rows that `keep` uses.
  size_t bytes(const Keep& keep) const;

  /// Frees every row behind `keep`. Throws Error{memory} where the smaller copy of one head can't be made; the context
  /// is then still whole.
  void shrink(const Keep& keep);

 private:
  friend class ContextCut;
  struct Layer {
    std::vector<Buffer> memory;  // per head: keys, then values (or keys alone)
    std::vector<Buffer> values;  // per head, where they are apart from the keys
    std::vector<KvRows> heads;
    bool positional = false;    // a sliding-window layer
    size_t first_position = 0;  // of its first row, where positional
  };

  Context() = default;
  /// All but the rows and their order.
  Context(Backend& backend, CacheShape shape, size_t read_tokens, size_t system_len, Scores scores, const Keep& keep);
  void copy_window(const Tail& tail, size_t layer);
  void copy_scored(const Tail& tail, size_t layer, size_t scored);
  void copy_kept(const Tail& tail, KeptRows& kept, size_t layer, std::span<const std::vector<uint32_t>> places);
  void copy_rows(const Segment& from, size_t head, std::span<const uint32_t> index, Layer& to);

  Backend* backend_ = nullptr;
  CacheShape shape_;
  size_t read_tokens_ = 0;
  size_t system_len_ = 0;
  std::vector<size_t> scored_layers_;
  Scores scores_;
  std::vector<std::vector<uint32_t>> order_;
  Keep held_;
  std::vector<Layer> layers_;
  std::shared_ptr<const void> host_memory_;  // that rows may point into
};

/// A context seen at one ratio: the leading rows of every head that `keep` names. Moves no data. The context must
/// outlive it and not shrink.
class ContextCut {
 public:
  /// Throws Error{usage} where the context no longer holds as many rows.
  ContextCut(const Context& context, const Keep& keep);
  const Context& context() const { return *context_; }
  const Keep& keep() const { return keep_; }
  /// The rows of one layer, as attend() takes them.
  Segment segment(size_t layer) const;

 private:
  const Context* context_;
  Keep keep_;
  std::vector<std::vector<KvRows>> heads_;
};

}  // namespace kvzip
