#include "kvzip/stages/compress.h"

#include <utility>

#include "kvzip/stages/shared_heads.h"

namespace kvzip {

Context compress(const Model& model, Reading&& reading, Scores scores, const Keep& keep) {
  return Context::from_tail(model.backend(), std::move(reading.tail), reading.system.size(),
                            own_scores(model, std::move(scores)), own_keep(model, keep), reading.kv_type);
}

Context hold_all(const Model& model, Reading&& reading) {
  const CacheShape shape = whole_shape(model, reading.tail.shape());
  Scores scores(shape.global_layers().size(), shape.kv_heads, reading.document.size());
  return compress(model, std::move(reading), std::move(scores), 1.0);
}

Context compress(const Model& model, Reading&& reading, Scores scores, double ratio) {
  const Keep keep = select(scores, Level::pair, ratio).keep;
  return compress(model, std::move(reading), std::move(scores), keep);
}

PastFn past_of(const ContextCut& cut) {
  return [&cut](size_t layer, std::vector<Segment>& segments) { segments.push_back(cut.segment(layer)); };
}

}  // namespace kvzip
