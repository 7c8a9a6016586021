// Scorers: rules that say how important each pair of a document is, from what its reading left behind. One small file
// per rule, one row each in methods.cpp. A scorer belongs to one document and one thread, and lives in host memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>

#include "kvzip/model/config.h"

namespace kvzip {

/// Keys and values of one layer, `[kv_heads, rows, head_dim]` each. Row r stands at position r: first come the system
/// prompt's rows, then the document's.
struct LayerRows {
  size_t kv_heads = 0;
  size_t rows = 0;
  size_t head_dim = 0;
  std::span<const float> keys;
  std::span<const float> values;

  const float* key(size_t head, size_t row) const { return keys.data() + (head * rows + row) * head_dim; }
  const float* value(size_t head, size_t row) const { return values.data() + (head * rows + row) * head_dim; }
};

/// Queries of one layer, rotated as the model's attention uses them, `[count, heads, head_dim]`.
struct LayerQueries {
  size_t first_row = 0;  ///< that the first of them belongs to: it sees rows 0 to first_row
  size_t count = 0;
  size_t heads = 0;
  size_t head_dim = 0;
  std::span<const float> values;

  const float* at(size_t query, size_t head) const { return values.data() + (query * heads + head) * head_dim; }
};

/// All queries there are.
inline constexpr size_t kAllQueries = std::numeric_limits<size_t>::max();

class Scorer {
 public:
  Scorer() = default;
  Scorer(const Scorer&) = delete;
  Scorer& operator=(const Scorer&) = delete;
  virtual ~Scorer() = default;

  /// How many queries it has to see, counted back from the last row.
  virtual size_t queries() const { return 0; }
  /// Sees queries of one scored layer, batch by batch in reading order, and all of that layer's rows. Where several of
  /// the model's layers use the same keys and values, they take turns.
  virtual void observe(size_t layer, const LayerQueries& queries, const LayerRows& rows);
  /// The importance of each row of one scored layer, `[kv_heads, rows]`: no number below 0, more is more important.
  virtual void score(size_t layer, const LayerRows& rows, std::span<float> scores) = 0;
};

/// What a scorer may need to know of its document and model.
struct ScorerSetup {
  size_t layers = 0;  ///< that are scored
  size_t kv_heads = 0;
  size_t rows = 0;
  const ModelConfig* config = nullptr;  ///< outlives the scorer
  uint64_t seed = 0;
};

// One per rule; each is described in its own file.
std::unique_ptr<Scorer> make_streaming_llm(const ScorerSetup& setup);
std::unique_ptr<Scorer> make_random(const ScorerSetup& setup);
std::unique_ptr<Scorer> make_knorm(const ScorerSetup& setup);
std::unique_ptr<Scorer> make_keydiff(const ScorerSetup& setup);
std::unique_ptr<Scorer> make_snapkv(const ScorerSetup& setup);
std::unique_ptr<Scorer> make_tova(const ScorerSetup& setup);
std::unique_ptr<Scorer> make_h2o(const ScorerSetup& setup);
std::unique_ptr<Scorer> make_expected_attention(const ScorerSetup& setup);

}  // namespace kvzip
