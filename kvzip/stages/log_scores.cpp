#include "kvzip/stages/log_scores.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "kvzip/base/parallel.h"

namespace kvzip {

LogScores::LogScores(Backend& backend, const CacheShape& shape, size_t len)
    : backend_(&backend),
      layers_(shape.global_layers()),
      heads_(shape.kv_heads),
      log_(backend, DType::f32, layers_.size() * heads_, len) {
  constexpr size_t kPart = size_t{1} << 20U;  // values that are uploaded at once
  const size_t count = log_.view().rows * len;
  const std::vector<float> lowest(std::min(count, kPart), -std::numeric_limits<float>::infinity());
  auto* const values = static_cast<float*>(log_.view().data);
  for (size_t begin = 0; begin < count; begin += kPart) {
    backend.upload(values + begin, lowest.data(), std::min(count - begin, kPart) * sizeof(float));
  }
}

const ScoreRequest* LogScores::request(size_t kv_layer, size_t begin, const ScoreRequest& keys) {
  const auto found = std::find(layers_.begin(), layers_.end(), kv_layer);
  if (found == layers_.end()) return nullptr;
  View to = rows_of(log_.view(), static_cast<size_t>(found - layers_.begin()) * heads_, heads_);
  to.data = static_cast<float*>(to.data) + begin;
  to.cols = keys.chunk_len;
  request_ = keys;
  request_.log_score = to;
  return &request_;
}

ScoresFn LogScores::download() const {
  Scores logs(layers_.size(), heads_, log_.view().cols);
  backend_->download(logs.values.data(), log_.view().data, logs.values.size() * sizeof(float));
  return [scores = std::move(logs)]() mutable {
    constexpr size_t kGrain = size_t{1} << 19U;  // fewer take less time than waking threads
    parallel_ranges(scores.values.size(), kGrain, [&](size_t begin, size_t end) {
      for (size_t i = begin; i < end; ++i) scores.values[i] = std::exp(scores.values[i]);
    });
    return std::move(scores);
  };
}

}  // namespace kvzip
