#include "kvzip/stages/chunk_rows.h"

namespace kvzip {

ChunkRows::ChunkRows(const Reading& reading, Backend& backend)
    : reading_(&reading), copies_(backend, reading.tail.shape(), 0), heads_(reading.tail.shape().layers()) {}

void ChunkRows::show(size_t begin, size_t len) {
  const size_t system = reading_->system.size();
  copies_.truncate(0);
  for (const size_t layer : copies_.shape().global_layers()) {
    if (begin > 0) {
      copies_.append_rows(layer, reading_->tail, 0, system);
      copies_.append_rows(layer, reading_->tail, system + begin, len);
    }
    const Segment rows = begin > 0 ? copies_.segment(layer) : reading_->tail.segment(layer);
    heads_[layer].assign(rows.heads.begin(), rows.heads.end());
    for (KvRows& head : heads_[layer]) head.len = system + len;
  }
}

PastFn ChunkRows::past() const {
  return [this](size_t layer, std::vector<Segment>& segments) {
    Segment rows = reading_->tail.segment(layer);
    if (!heads_[layer].empty()) {
      rows.heads = heads_[layer];
      rows.positional = false;  // copies aren't where their positions say
    }
    segments.push_back(rows);
  };
}

}  // namespace kvzip
