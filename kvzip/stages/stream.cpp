#include "kvzip/stages/stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <utility>

#include "kvzip/base/check.h"
#include "kvzip/base/parallel.h"
#include "kvzip/base/ranking.h"
#include "kvzip/stages/log_scores.h"
#include "kvzip/stages/memory.h"
#include "kvzip/stages/prompt.h"

namespace kvzip {
namespace {

using Clock = std::chrono::steady_clock;

// Held beyond the budget before all of it is cut again: cutting moves every row.
constexpr double kSlack = 1.0 / 16;

void require_ratio(const char* what, double ratio) {
  if (ratio > 0 && ratio <= 1) return;
  throw Error(ErrorCode::usage,
              fmt::format("{} {}: expected more than 0 and at most 1, the fraction kept", what, ratio));
}

class Stream {
 public:
  Stream(const Model& model, std::vector<TokenId> system, std::vector<TokenId> document, const StreamOptions& options)
      : model_(model),
        options_(options),
        prompt_(std::move(system)),
        document_(std::move(document)),
        system_(prompt_.size()),
        chunk_keep_(options.chunk_keep > 0 ? options.chunk_keep : std::max(options.ratio, kChunkKeep)),
        batch_(options.batch > 0 ? options.batch : model.backend().preferred_batch()),
        tail_(model.backend(), model.cache_shape(tail_type(options.kv_type)), 0),
        scored_heads_(tail_.shape().global_layers().size() * tail_.shape().kv_heads),
        most_(
            static_cast<size_t>(static_cast<double>(scored_heads_ * document_.size()) * options.ratio * (1 + kSlack))),
        kept_(model.backend(), model.cache_shape(options.kv_type), most_),
        forward_(model) {
    size_t chunk = options.chunk;
    if (options.inputs != nullptr) {
      inputs_ = *options.inputs;
    } else {
      chunk = fitting_chunk(model, system_ + document_.size(), options.chunk);
      inputs_ = repeat_inputs(model, document_, chunk);
    }
    size_t longest = 0;
    total_ = system_;
    for (const RepeatInput& input : inputs_) {
      longest = std::max(longest, input.len);
      total_ += input.len + (repeats() ? input.ids.size() : 0);
    }
    require_streaming(model, system_ + document_.size(), options.kv_type, batch_, chunk, options.ratio);
    tail_.reserve(system_ + longest + (repeats() ? repeat_rows(document_.size(), chunk) : 0), batch_);
  }

  Streamed run() {
    for (const RepeatInput& input : inputs_) {
      std::optional<GateScores> gated;
      if (options_.gate != nullptr) gated.emplace(*options_.gate, system_ + input.begin, input.len);
      read(input, gated ? gated->observe() : ObserveFn());
      if (scores_.values.empty()) scores_ = no_scores();  // host memory is taken while the device reads
      if (scored_heads_ > 0) {
        keep(input, gated ? scores_by(*gated) : repeat(input));
        scoring_seconds_ += std::chrono::duration<double>(Clock::now() - scoring_since_).count();
      }
      tail_.keep_front(system_);
    }
    Selection selection = select(scores_, options_.level, options_.ratio);
    limit_to_held(selection.keep);
    sink_dropped();
    Context context = Context::from_kept(model_.backend(), std::move(tail_), std::move(kept_), system_,
                                         std::move(scores_), selection.keep);
    model_.backend().synchronize();
    return {std::move(prompt_), std::move(document_), std::move(context), selection.threshold, scoring_seconds_};
  }

 private:
  bool repeats() const { return options_.gate == nullptr && scored_heads_ > 0; }

  Scores no_scores() const { return {tail_.shape().global_layers().size(), tail_.shape().kv_heads, document_.size()}; }

  // Once the chunk is read, so that each part's time is its own.
  void begin_scoring() {
    model_.backend().synchronize();
    scoring_since_ = Clock::now();
  }

  void advance(std::span<const TokenId> tokens, const Batch& each) {
    run_batches(forward_, tokens, batch_, each, [&](size_t done) {
      report(options_.progress, {"streaming", done_ + done, total_});
    });
    done_ += tokens.size();
  }

  // The system prompt's rows stay in front of every chunk's.
  void read(const RepeatInput& input, const ObserveFn& observe) {
    std::vector<TokenId> tokens;
    if (input.begin == 0) tokens = prompt_;
    const auto chunk = std::span(document_).subspan(input.begin, input.len);
    tokens.insert(tokens.end(), chunk.begin(), chunk.end());
    const PastFn past = [this](size_t kv_layer, std::vector<Segment>& segments) {
      if (tail_.shape().windows[kv_layer] == 0) segments.push_back(kept_.segment(kv_layer));
    };
    advance(tokens, {.tail = &tail_, .past = kept_.empty() ? PastFn() : PastFn(past), .observe = observe});
  }

  Scores scores_by(const GateScores& gated) {
    begin_scoring();
    return gated.take();
  }

  Scores repeat(const RepeatInput& input) {
    LogScores scores(model_.backend(), tail_.shape(), input.len);
    const ScoreRequest keys{.system_len = system_, .chunk_begin = system_, .chunk_len = input.len, .log_score = {}};
    Tail repeated = tail_.continuation();
    repeated.reserve(input.ids.size(), batch_);
    begin_scoring();
    advance(input.ids, {.tail = &repeated, .past = past_of(tail_), .score = [&](size_t kv_layer) {
                          return scores.request(kv_layer, 0, keys);
                        }});
    return scores.take();
  }

  /// Takes the chunk's best rows out of the tail. Where that is more than may be held, the best of all stay.
  void keep(const RepeatInput& input, const Scores& chunk) {
    const Keep of_chunk = select(chunk, options_.level, chunk_keep_).keep;
    const size_t kv_heads = chunk.kv_heads;
    std::vector<std::vector<uint32_t>> added(of_chunk.rows.size());
    parallel_ranges(added.size(), 1, [&](size_t begin, size_t end) {
      for (size_t i = begin; i < end; ++i) {
        const auto from = chunk.row(i / kv_heads, i % kv_heads);
        const auto to = scores_.row(i / kv_heads, i % kv_heads).subspan(input.begin, input.len);
        added[i] = largest_in_order(from, of_chunk.rows[i]);
        std::ranges::transform(from, to.begin(), std::negate());
        for (const uint32_t row : added[i]) to[row] = from[row];
      }
    });
    std::optional<Keep> cut;
    if (kept_.pairs() + of_chunk.pairs() > most_) cut = select(scores_, options_.level, options_.ratio).keep;

    std::vector<KeptRows::Change> changes(added.size());
    parallel_ranges(changes.size(), 1, [&](size_t begin, size_t end) {
      for (size_t i = begin; i < end; ++i)
        changes[i] = change_of(i, input.begin, added[i], cut ? cut->rows[i] : SIZE_MAX);
    });
    std::vector<Segment> chunk_rows;
    for (const size_t layer : tail_.shape().global_layers()) chunk_rows.push_back(tail_.segment(layer));
    kept_.update(changes, chunk_rows);
  }

  /// Of one head, the rows held and those of the chunk at `begin` that are added; of both the best `most`. The scores
  /// of the others become negative: below all that are held or not yet read.
  KeptRows::Change change_of(size_t i, size_t begin, std::span<const uint32_t> added, size_t most) {
    const std::span<const uint32_t> held = kept_.positions(i / scores_.kv_heads, i % scores_.kv_heads);
    KeptRows::Change change;
    const auto join = [&](size_t place) {
      change.rows.push_back(static_cast<uint32_t>(system_) + added[place]);
      change.positions.push_back(static_cast<uint32_t>(begin) + added[place]);
    };
    if (held.size() + added.size() <= most) {
      for (size_t place = 0; place < added.size(); ++place) join(place);
      return change;
    }
    const std::span<float> scores = scores_.row(i / scores_.kv_heads, i % scores_.kv_heads);
    const auto position = [&](size_t place) {
      return place < held.size() ? held[place] : begin + added[place - held.size()];
    };
    std::vector<float> values(held.size() + added.size());
    for (size_t place = 0; place < values.size(); ++place) {
      float& score = scores[position(place)];
      values[place] = score;
      score = -score;
    }
    std::vector<uint32_t> best = largest_in_order(values, most);
    for (const uint32_t place : best) scores[position(place)] = values[place];
    const auto of_chunk = std::ranges::lower_bound(best, held.size());
    std::for_each(of_chunk, best.end(), [&](uint32_t place) { join(place - held.size()); });
    best.erase(of_chunk, best.end());
    change.places = std::move(best);
    return change;
  }

  /// Rules that count rows may name more of a head than were ever kept.
  void limit_to_held(Keep& keep) const {
    for (size_t i = 0; i < keep.rows.size(); ++i) {
      const size_t held = kept_.positions(i / keep.kv_heads, i % keep.kv_heads).size();
      keep.rows[i] = static_cast<uint32_t>(std::min<size_t>(keep.rows[i], held));
    }
  }

  /// Scores of rows that were dropped, which are negative, come below the lowest of those that are held, in the order
  /// that they had: so whoever asks for more rows than are held asks for them too.
  void sink_dropped() {
    struct Bounds {
      float lowest_held = 1;
      float most_dropped = 0;
    };
    const size_t heads = scores_.layers * scores_.kv_heads;
    const auto each_head = [&](const auto& work) {
      parallel_ranges(heads, 1, [&](size_t begin, size_t end) {
        for (size_t i = begin; i < end; ++i) work(i, scores_.row(i / scores_.kv_heads, i % scores_.kv_heads));
      });
    };
    std::vector<Bounds> bounds(heads);
    each_head([&](size_t i, std::span<const float> scores) {
      for (const float score : scores) {
        if (score > 0) bounds[i].lowest_held = std::min(bounds[i].lowest_held, score);
        bounds[i].most_dropped = std::max(bounds[i].most_dropped, -score);
      }
    });
    Bounds all;
    for (const Bounds& each : bounds) {
      all.lowest_held = std::min(all.lowest_held, each.lowest_held);
      all.most_dropped = std::max(all.most_dropped, each.most_dropped);
    }
    const float factor = all.most_dropped > 0 ? all.lowest_held / 2 / all.most_dropped : 0;
    each_head([&](size_t, std::span<float> scores) {
      for (float& score : scores) {
        if (score <= 0) score *= -factor;
      }
    });
  }

  const Model& model_;
  const StreamOptions& options_;
  std::vector<TokenId> prompt_, document_;
  size_t system_;  // rows of the prompt
  double chunk_keep_;
  size_t batch_;
  Tail tail_;            // [system prompt | the chunk that is read]
  size_t scored_heads_;  // of all layers
  size_t most_;          // rows held at once
  KeptRows kept_;
  Scores scores_;  // of the rows held; negative for those dropped, 0 for those to come
  Forward forward_;
  std::vector<RepeatInput> inputs_;
  size_t total_ = 0, done_ = 0;
  Clock::time_point scoring_since_ = Clock::now();
  double scoring_seconds_ = 0;
};

}  // namespace

Streamed stream(const Model& model, std::string_view text, const StreamOptions& options) {
  std::vector<TokenId> document = document_ids(model, text);
  return stream_ids(model, system_ids(model), std::move(document), options);
}

Streamed stream_ids(const Model& model, std::vector<TokenId> system, std::vector<TokenId> document,
                    const StreamOptions& options) {
  require_ratio("keep ratio", options.ratio);
  if (options.chunk_keep != 0) require_ratio("chunk keep ratio", options.chunk_keep);
  check(options.chunk > 0 && !document.empty(), "a document is read in chunks of some tokens");
  check(options.gate == nullptr || &options.gate->backend() == &model.backend(), "a gate belongs to the model");
  if (options.level == Level::head) {
    throw Error(ErrorCode::usage, "level head: needs the scores of the whole document; not for streaming");
  }
  require_decoder(model.config());
  if (model.ranks() > 1) {
    throw Error(ErrorCode::unsupported,
                fmt::format("streaming: expected a model on one device, found it on {}", model.ranks()));
  }
  require_context(model, system.size(), document.size());
  return Stream(model, std::move(system), std::move(document), options).run();
}

}  // namespace kvzip
