#include "kvzip/stages/score.h"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <utility>

#include "kvzip/base/check.h"
#include "kvzip/stages/chunk_rows.h"
#include "kvzip/stages/log_scores.h"
#include "kvzip/stages/shared_heads.h"

namespace kvzip {
namespace {

constexpr std::array<std::pair<std::string_view, Scoring>, 2> kScorings = {
    {{"exact", Scoring::exact}, {"local", Scoring::local}}};

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
  LogScores scores(model.backend(), shape, reading.document.size());
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
