#include "kvzip/stages/score.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "kvzip/base/check.h"
#include "kvzip/stages/chunk_rows.h"

namespace kvzip {
namespace {

constexpr std::array<std::pair<std::string_view, Scoring>, 2> kScorings = {
    {{"exact", Scoring::exact}, {"local", Scoring::local}}};

/// Log scores of one chunk on the device, all scored layers: `[scored layers * kv_heads, chunk_len]`.
class ChunkScores {
 public:
  /// The chunk's first row is number `first_row` of segment 0.
  ChunkScores(const Model& model, const CacheShape& shape, const RepeatInput& input, size_t system_len,
              size_t first_row)
      : backend_(&model.backend()),
        layers_(shape.global_layers()),
        heads_(shape.kv_heads),
        log_(*backend_, DType::f32, layers_.size() * heads_, input.len),
        request_{.system_len = system_len, .chunk_begin = first_row, .chunk_len = input.len, .log_score = {}} {
    const std::vector<float> lowest(layers_.size() * heads_ * input.len, -std::numeric_limits<float>::infinity());
    backend_->upload(log_.view().data, lowest.data(), lowest.size() * sizeof(float));
  }

  /// Asked for by every layer that uses the KV layer: their scores' maximum remains.
  const ScoreRequest* request(size_t kv_layer) {
    const auto found = std::find(layers_.begin(), layers_.end(), kv_layer);
    if (found == layers_.end()) return nullptr;
    request_.log_score = rows_of(log_.view(), static_cast<size_t>(found - layers_.begin()) * heads_, heads_);
    return &request_;
  }

  void store(Scores& scores, size_t begin) const {
    const size_t len = request_.chunk_len;
    std::vector<float> log(layers_.size() * heads_ * len);
    backend_->download(log.data(), log_.view().data, log.size() * sizeof(float));
    for (size_t i = 0; i < layers_.size() * heads_; ++i) {
      const auto row = scores.row(i / heads_, i % heads_).subspan(begin, len);
      std::transform(log.begin() + static_cast<std::ptrdiff_t>(i * len),
                     log.begin() + static_cast<std::ptrdiff_t>((i + 1) * len), row.begin(),
                     [](float value) { return std::exp(value); });
    }
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

  Scores scores(shape.global_layers().size(), shape.kv_heads, reading.document.size());
  if (scores.layers == 0) return scores;  // nothing to choose from: every layer keeps its window
  std::optional<ChunkRows> local;
  if (options.scoring == Scoring::local) local.emplace(reading, model.backend());
  Forward forward(model);
  size_t done = 0;
  for (const RepeatInput& input : inputs) {
    if (local) local->show(input.begin, input.len);
    Tail repeated(model.backend(), shape, reading.tail.end_position());
    repeated.reserve(input.ids.size(), options.batch);
    const size_t system = reading.system.size();
    ChunkScores chunk(model, shape, input, system, local ? system : system + input.begin);
    const Batch each{.tail = &repeated,
                     .past = local ? local->past() : past_of(reading.tail),
                     .score = [&](size_t kv_layer) { return chunk.request(kv_layer); }};
    run_batches(forward, input.ids, options.batch, each, [&](size_t tokens) {
      report(options.progress, {"scoring", done + tokens, total});
    });
    chunk.store(scores, input.begin);
    done += input.ids.size();
  }
  return scores;
}

}  // namespace kvzip
