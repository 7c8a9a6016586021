#include "kvzip/stages/score.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "kvzip/base/check.h"
#include "kvzip/base/parallel.h"
#include "kvzip/stages/chunk_rows.h"
#include "kvzip/stages/shared_heads.h"

namespace kvzip {
namespace {

constexpr std::array<std::pair<std::string_view, Scoring>, 2> kScorings = {
    {{"exact", Scoring::exact}, {"local", Scoring::local}}};

/// Log scores of the whole document on the device, `[scored layers * kv_heads, document]`. They come to the host once,
/// at the end, so that a device that works by itself never waits for it.
class LogScores {
 public:
  LogScores(const Model& model, const CacheShape& shape, size_t document_len)
      : backend_(&model.backend()),
        layers_(shape.global_layers()),
        heads_(shape.kv_heads),
        log_(*backend_, DType::f32, layers_.size() * heads_, document_len) {
    const std::vector<float> lowest(document_len, -std::numeric_limits<float>::infinity());
    for (size_t row = 0; row < log_.view().rows; ++row) {
      backend_->upload(rows_of(log_.view(), row, 1).data, lowest.data(), lowest.size() * sizeof(float));
    }
  }

  /// `keys` for the chunk that begins at that document position and one KV layer, asked for by every layer that uses
  /// it: their scores' maximum remains. Null where the layer isn't scored.
  const ScoreRequest* request(size_t kv_layer, size_t chunk_begin, const ScoreRequest& keys) {
    const auto found = std::find(layers_.begin(), layers_.end(), kv_layer);
    if (found == layers_.end()) return nullptr;
    View to = rows_of(log_.view(), static_cast<size_t>(found - layers_.begin()) * heads_, heads_);
    to.data = static_cast<float*>(to.data) + chunk_begin;
    to.cols = keys.chunk_len;
    request_ = keys;
    request_.log_score = to;
    return &request_;
  }

  Scores take() const {
    Scores scores(layers_.size(), heads_, log_.view().cols);
    backend_->download(scores.values.data(), log_.view().data, scores.values.size() * sizeof(float));
    constexpr size_t kGrain = 4096;
    parallel_ranges(scores.values.size(), kGrain, [&](size_t begin, size_t end) {
      for (size_t i = begin; i < end; ++i) scores.values[i] = std::exp(scores.values[i]);
    });
    return scores;
  }

 private:
  Backend* backend_;
  std::vector<size_t> layers_;
  size_t heads_;
  Tensor log_;
  ScoreRequest request_;
};

}  // namespace

Scoring scoring_by_name(std::string_view name) {
  for (const auto& [known, scoring] : kScorings) {
    if (known == name) return scoring;
  }
  throw Error(ErrorCode::usage, fmt::format("scoring '{}': expected exact or local", name));
}

std::string_view scoring_name(Scoring scoring) {
  for (const auto& [name, known] : kScorings) {
    if (known == scoring) return name;
  }
  check(false, "every kind of scoring has a name");
  return {};
}

Scores score(const Model& model, const Reading& reading, const ScoreOptions& options) {
  const size_t chunk = fitting_chunk(model, reading.tail.end_position(), options.chunk);
  return score(model, reading, repeat_inputs(model, reading.document, chunk), options);
}

Scores score(const Model& model, const Reading& reading, const std::vector<RepeatInput>& inputs,
             const ScoreOptions& options) {
  const CacheShape& shape = reading.tail.shape();
  size_t total = 0;
  for (const RepeatInput& input : inputs) total += input.ids.size();

  if (shape.global_layers().empty()) {  // nothing to choose from: every layer keeps its window
    return {0, whole_shape(model, shape).kv_heads, reading.document.size()};
  }
  LogScores scores(model, shape, reading.document.size());
  std::optional<ChunkRows> local;
  if (options.scoring == Scoring::local) local.emplace(reading, model.backend());
  const size_t system = reading.system.size();
  const size_t batch = options.batch > 0 ? options.batch : model.backend().preferred_batch();
  Forward forward(model);
  size_t done = 0;
  for (const RepeatInput& input : inputs) {
    if (local) local->show(input.begin, input.len);
    const ScoreRequest keys{.system_len = system,
                            .chunk_begin = local ? system : system + input.begin,
                            .chunk_len = input.len,
                            .log_score = {}};
    Tail repeated = reading.tail.continuation();
    repeated.reserve(input.ids.size(), batch);
    const Batch each{.tail = &repeated,
                     .past = local ? local->past() : past_of(reading.tail),
                     .score = [&](size_t kv_layer) { return scores.request(kv_layer, input.begin, keys); }};
    run_batches(forward, input.ids, batch, each, [&](size_t tokens) {
      report(options.progress, {"scoring", done + tokens, total});
    });
    done += input.ids.size();
  }
  return whole_scores(model, scores.take());
}

}  // namespace kvzip
