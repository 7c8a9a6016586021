// How many leading rows of every head count: the whole of a compression ratio.
#pragma once

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

namespace kvzip {

/// `[layers, kv_heads]` numbers of document rows kept, over the scored layers. The system prompt's rows always count
/// and aren't included.
struct Keep {
  size_t layers = 0;
  size_t kv_heads = 0;
  size_t len = 0;  ///< rows that a head has when nothing is dropped
  std::vector<uint32_t> rows;

  uint32_t at(size_t layer, size_t head) const { return rows[layer * kv_heads + head]; }
  size_t pairs() const { return std::accumulate(rows.begin(), rows.end(), size_t{0}); }
  /// Fraction of all document pairs that are kept.
  double ratio() const {
    return rows.empty() || len == 0
               ? 1.0
               : static_cast<double>(pairs()) / (static_cast<double>(rows.size()) * static_cast<double>(len));
  }
};

}  // namespace kvzip
