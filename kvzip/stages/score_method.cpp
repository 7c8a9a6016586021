#include "kvzip/stages/score_method.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "kvzip/stages/host_rows.h"
#include "kvzip/stages/memory.h"
#include "kvzip/stages/score_plus.h"

namespace kvzip {
namespace {

/// Shows the scorer the queries that it wants, by reading the rows that they belong to once more.
class Replay {
 public:
  Replay(const Model& model, const Reading& reading, const ScoreOptions& options)
      : model_(model),
        reading_(reading),
        options_(options),
        batch_(options.batch > 0 ? options.batch : model.backend().preferred_batch()),
        host_(model.backend(), reading.tail) {}

  /// Returns how many rows it read.
  size_t run(Scorer& scorer) {
    const CacheShape& shape = reading_.tail.shape();
    const size_t rows = reading_.tail.end_position();
    const bool slides = shape.global_layers().size() < shape.layers();
    const size_t first = slides ? 0 : rows - std::min(rows, scorer.queries());
    std::vector<TokenId> tokens = reading_.system;
    tokens.insert(tokens.end(), reading_.document.begin(), reading_.document.end());
    require_room((rows - first) * shape.token_bytes());

    Tail again(model_.backend(), shape, first);
    again.reserve(rows - first, batch_);
    Forward forward(model_);
    const Batch each{
        .tail = &again, .past = past(first), .observe = [&](const LayerInput& input) { show(scorer, input); }};
    run_batches(forward, std::span(tokens).subspan(first), batch_, each, [&](size_t done) {
      report(options_.progress, {"scoring", done, rows - first + reading_.document.size()});
    });
    return rows - first;
  }

 private:
  void require_room(size_t bytes) const {
    const size_t available = model_.backend().available_memory();
    if (bytes <= available) return;
    throw Error(ErrorCode::memory,
                fmt::format("memory: scoring reads the document again, which needs {} more, {} available",
                            format_bytes(bytes), format_bytes(available)));
  }

  /// Rows before `first`.
  PastFn past(size_t first) {
    if (first == 0) return {};
    return [this, first](size_t kv_layer, std::vector<Segment>& segments) {
      Segment rows = reading_.tail.segment(kv_layer);
      before_.assign(rows.heads.begin(), rows.heads.end());
      for (KvRows& head : before_) head.len = first;
      rows.heads = before_;
      segments.push_back(rows);
    };
  }

  void show(Scorer& scorer, const LayerInput& input) {
    const std::vector<size_t> scored = reading_.tail.shape().global_layers();
    const size_t kv_layer = model_.config().kv_layer(input.layer);
    const auto found = std::find(scored.begin(), scored.end(), kv_layer);
    if (found == scored.end()) return;
    // Of a replay that had to start early, only the queries that were asked for.
    const size_t end = input.first_position + input.queries.rows;
    const size_t rows = reading_.tail.end_position();
    const size_t wanted = rows - std::min(rows, scorer.queries());
    if (end <= wanted) return;
    const size_t first = std::max(wanted, input.first_position);
    const ConstView view = rows_of(input.queries, first - input.first_position, end - first);
    queries_.resize(view.rows * view.cols);
    fetch(model_.backend(), view, queries_.data());
    const LayerQueries queries{first, view.rows, model_.config().heads, model_.config().head_dim, queries_};
    scorer.observe(static_cast<size_t>(found - scored.begin()), queries, host_.of(kv_layer));
  }

  const Model& model_;
  const Reading& reading_;
  const ScoreOptions& options_;
  size_t batch_;
  HostRows host_;
  std::vector<KvRows> before_;
  std::vector<float> queries_;
};

}  // namespace

Scores score_by(const ScoringMethod& method, const Model& model, const Reading& reading, const ScoreOptions& options) {
  if (method.source == Source::repetition) return score(model, reading, options);
  if (model.ranks() > 1) {
    throw Error(ErrorCode::usage,
                fmt::format("method {}: expected kvzip where several devices share the model", method.name));
  }
  if (method.source == Source::weighted_repetition) return score_plus(model, reading, options);
  const CacheShape& shape = reading.tail.shape();
  const std::vector<size_t> layers = shape.global_layers();
  Scores scores(layers.size(), shape.kv_heads, reading.document.size());
  if (scores.layers == 0) return scores;
  const size_t rows = reading.tail.end_position();
  const auto scorer = method.make({layers.size(), shape.kv_heads, rows, &model.config(), options.seed});
  const size_t replayed = scorer->queries() > 0 ? Replay(model, reading, options).run(*scorer) : 0;
  HostRows host(model.backend(), reading.tail);
  std::vector<float> all(shape.kv_heads * rows);
  for (size_t layer = 0; layer < layers.size(); ++layer) {
    scorer->score(layer, host.of(layers[layer]), all);
    for (size_t head = 0; head < shape.kv_heads; ++head) {
      const auto document = std::span(all).subspan(head * rows + reading.system.size(), scores.len);
      // A model's weights may be anything, and what isn't a number can't be sorted.
      std::transform(document.begin(), document.end(), scores.row(layer, head).begin(),
                     [](float value) { return std::isfinite(value) ? value : 0; });
    }
    report(options.progress, {"scoring", replayed + scores.len * (layer + 1) / layers.size(), replayed + scores.len});
  }
  return scores;
}

}  // namespace kvzip
