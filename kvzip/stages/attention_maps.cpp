#include "kvzip/stages/attention_maps.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kvzip/base/error.h"
#include "kvzip/base/parallel.h"
#include "kvzip/policy/attention_shares.h"
#include "kvzip/stages/host_rows.h"
#include "kvzip/stages/memory.h"
#include "kvzip/stages/prefill.h"
#include "kvzip/stages/reconstruct.h"

namespace kvzip {
namespace {

constexpr std::string_view kStage = "attention";

/// Takes the maps from the queries of each layer and the keys that the tail holds by then.
class Watcher {
 public:
  Watcher(const Model& model, const Tail& tail, AttentionMaps& maps)
      : model_(model), tail_(tail), maps_(maps), host_(model.backend(), tail) {}

  void operator()(const LayerInput& input) {
    const ModelConfig& config = model_.config();
    const ConstView rows = rows_of(input.queries, maps_.first - input.first_position, maps_.len);
    queries_.resize(rows.rows * rows.cols);
    fetch(model_.backend(), rows, queries_.data());
    const size_t kv_layer = config.kv_layer(input.layer);
    const LayerRows& keys = host_.of(kv_layer);
    const size_t held_from = tail_.segment(kv_layer).first_position;
    parallel_ranges(config.heads * maps_.len, 1, [&](size_t begin, size_t end) {
      std::vector<float> shares;
      for (size_t i = begin; i < end; ++i) query(keys, held_from, input.layer, i / maps_.len, i % maps_.len, shares);
    });
  }

 private:
  /// The shares of one query of one head, among all that it sees, and of those the ones in the range.
  void query(const LayerRows& keys, size_t held_from, size_t layer, size_t head, size_t index,
             std::vector<float>& shares) {
    const ModelConfig& config = model_.config();
    const size_t position = maps_.first + index;
    const size_t window = config.windows[layer];
    const size_t oldest = window > 0 && position >= window ? position + 1 - window : 0;
    const size_t from = std::max(oldest, held_from);
    const size_t end = config.arch->bidirectional ? held_from + keys.rows : position + 1;
    shares.resize(end - from);
    attention_shares(keys, head / (config.heads / config.kv_heads),
                     queries_.data() + (index * config.heads + head) * config.head_dim, config.attention_scale, shares,
                     from - held_from);
    const size_t shown_from = std::max(from, maps_.first), shown_end = std::min(end, maps_.first + maps_.len);
    if (shown_from >= shown_end) return;
    const auto first = shares.begin() + static_cast<std::ptrdiff_t>(shown_from - from);
    const size_t row = ((layer * config.heads + head) * maps_.len + index) * maps_.len;
    std::copy_n(first, shown_end - shown_from,
                maps_.weights.begin() + static_cast<std::ptrdiff_t>(row + shown_from - maps_.first));
  }

  const Model& model_;
  const Tail& tail_;
  AttentionMaps& maps_;
  HostRows host_;
  std::vector<float> queries_;
};

AttentionMaps empty_maps(const Model& model, const EncoderInput& input, const AttentionOptions& options) {
  const ModelConfig& config = model.config();
  const size_t end = options.end == 0 ? input.ids.size() : options.end;
  if (options.first >= end || end > input.ids.size()) {
    throw Error(ErrorCode::input, fmt::format("tokens: expected a range among the text's {}, found {}:{}",
                                              input.ids.size(), options.first, end));
  }
  if (end > config.context_length) {
    throw Error(ErrorCode::input, fmt::format("tokens: expected at most the {} of the model's context, found {}",
                                              config.context_length, end));
  }
  AttentionMaps maps{config.layers, config.heads, options.first, end - options.first, {}};
  const size_t most = most_positions(config, options.most);
  if (maps.len > most) {
    throw Error(ErrorCode::input, fmt::format("tokens: expected at most {} for the maps of {} heads, found {}", most,
                                              config.layers * config.heads, maps.len));
  }
  maps.weights.resize(config.layers * config.heads * maps.len * maps.len);
  return maps;
}

}  // namespace

size_t most_positions(const ModelConfig& config, size_t most) {
  return static_cast<size_t>(std::sqrt(static_cast<double>(most / (config.layers * config.heads))));
}

AttentionMaps attention_maps(const Model& model, const EncoderInput& input, const AttentionOptions& options) {
  AttentionMaps maps = empty_maps(model, input, options);
  // The past of what is shown can be read in batches; all that is shown goes through the model at once.
  const bool all_at_once = model.config().arch->bidirectional;
  const size_t before = all_at_once ? 0 : maps.first;
  const size_t end = all_at_once ? input.ids.size() : maps.first + maps.len;
  const std::span<const TokenId> tokens = std::span(input.ids).first(end);
  const size_t batch = batch_rows(model, end, options.kv_type, 0, kRepeatChunk);
  require_memory(model, end, options.kv_type, std::max(batch, end - before), kRepeatChunk);
  Tail tail(model.backend(), model.cache_shape(options.kv_type), 0);
  Forward forward(model);
  run_batches(forward, tokens.first(before), batch, {.tail = &tail}, [&](size_t done) {
    report(options.progress, {kStage, done, end});
  });
  Watcher watcher(model, tail, maps);
  forward.run({.tokens = tokens.subspan(before),
               .token_types = input.types,
               .tail = &tail,
               .observe = [&](const LayerInput& layer) { watcher(layer); },
               .on_layer =
                   [&](size_t done, size_t layers) {
                     report(options.progress, {kStage, before + (end - before) * done / layers, end});
                   }});
  return maps;
}

}  // namespace kvzip
