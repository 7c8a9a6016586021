// Keys and values of a layer as scorers see them: f32, in host memory. One thread at a time.
#pragma once

#include <vector>

#include "kvzip/cache/tail.h"
#include "kvzip/policy/scorer.h"

namespace kvzip {

/// Writes the values of `view`, row by row, to host memory as f32.
void fetch(Backend& backend, const ConstView& view, float* to);

/// Copies of the rows that a tail holds of one layer at a time.
class HostRows {
 public:
  /// Both must outlive it.
  HostRows(Backend& backend, const Tail& tail) : backend_(&backend), tail_(&tail) {}

  /// Valid until another layer is asked for, or refresh().
  const LayerRows& of(size_t kv_layer);
  /// Forgets the copies: the tail has grown.
  void refresh() { held_ = kNone; }

 private:
  static constexpr size_t kNone = static_cast<size_t>(-1);

  Backend* backend_;
  const Tail* tail_;
  size_t held_ = kNone;
  std::vector<float> keys_, values_;
  LayerRows rows_;
};

}  // namespace kvzip
