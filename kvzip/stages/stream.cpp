#include "kvzip/stages/stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "kvzip/base/check.h"
#include "kvzip/base/parallel.h"
#include "kvzip/base/ranking.h"
#include "kvzip/stages/chunk_share.h"
#include "kvzip/stages/log_scores.h"
#include "kvzip/stages/memory.h"
#include "kvzip/stages/prompt.h"

namespace kvzip {
namespace {

using Clock = std::chrono::steady_clock;

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
        share_(options.ratio),
        batch_(options.batch > 0 ? options.batch : model.backend().preferred_batch()),
        tail_(model.backend(), model.cache_shape(tail_type(options.kv_type)), 0),
        scored_heads_(tail_.shape().global_layers().size() * tail_.shape().kv_heads),
        kept_(model.backend(), model.cache_shape(options.kv_type),
              most_held(tail_.shape(), document_.size(), options.ratio)),
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
    const size_t behind =
        std::max(repeats() ? repeat_rows(document_.size(), chunk) : 0, inputs_.size() > 1 ? longest : 0);
    tail_.reserve(system_ + longest + behind, batch_);
  }

  Streamed run() {
    for (const RepeatInput& input : inputs_) {
      std::optional<GateScores> gated;
      if (options_.gate != nullptr) gated.emplace(*options_.gate, system_ + input.begin, input.len);
      read(input, gated ? gated->observe() : ObserveFn());
      if (scores_.values.empty()) scores_ = no_scores();  // host memory is taken while the device reads
      leave_before();
      before_.emplace(Whole{&input, {}});
      if (scored_heads_ > 0)
        before_->scores = gated ? scores_by(*gated, following(input)) : repeat(input, following(input));
    }
    leave_before();
    Selection selection = select(held_scores(), options_.level, options_.ratio);
    limit_to_held(selection.keep);
    sink_dropped();
    Context context = Context::from_kept(model_.backend(), std::move(tail_), std::move(kept_), system_,
                                         std::move(scores_), selection.keep);
    model_.backend().synchronize();
    return {std::move(prompt_), std::move(document_), std::move(context), std::max(selection.threshold, 0.0F),
            scoring_seconds_};
  }

 private:
  /// A chunk that was read and scored, but of which nothing is dropped yet.
  struct Whole {
    const RepeatInput* input;
    ScoresFn scores;
  };

  bool repeats() const { return options_.gate == nullptr && scored_heads_ > 0; }

  Scores no_scores() const { return {tail_.shape().global_layers().size(), tail_.shape().kv_heads, document_.size()}; }

  /// How long the next chunk is; 0 behind the last.
  size_t following(const RepeatInput& input) const { return &input == &inputs_.back() ? 0 : (&input + 1)->len; }

  /// What `work` gives, timed as scoring: from when the chunk is read until the scores are there.
  template <class Work>
  ScoresFn timed(const Work& work) {
    model_.backend().synchronize();
    const Clock::time_point start = Clock::now();
    ScoresFn scores = work();
    scoring_seconds_ += std::chrono::duration<double>(Clock::now() - start).count();
    return scores;
  }

  void advance(std::span<const TokenId> tokens, const Batch& each) {
    run_batches(forward_, tokens, batch_, each, [&](size_t done) {
      report(options_.progress, {"streaming", done_ + done, total_});
    });
    done_ += tokens.size();
  }

  // Behind the system prompt's rows and the chunk before, which is still whole.
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

  // A batch of `rows` at positions from `first` on comes next: made ready while the device is busy.
  void expect(size_t first, size_t rows) { forward_.anticipate(first, std::min(rows, batch_)); }

  ScoresFn scores_by(const GateScores& gated, size_t next) {
    expect(tail_.end_position(), next);
    return timed([&] { return gated.download(); });
  }

  ScoresFn repeat(const RepeatInput& input, size_t next) {
    LogScores scores(model_.backend(), tail_.shape(), input.len);
    const ScoreRequest keys{.system_len = system_, .chunk_begin = system_, .chunk_len = input.len, .log_score = {}};
    const size_t first = repetition_position();
    const size_t apart = first - tail_.end_position();
    Tail repeated = tail_.continuation(first);
    repeated.reserve(input.ids.size(), batch_);
    // As if it stood right before the repetition: what sees what stays the same, and both are one causal stretch.
    const PastFn past = [&](size_t kv_layer, std::vector<Segment>& segments) {
      segments.push_back(tail_.segment(kv_layer));
      segments.back().first_position += apart;
    };
    expect(first, input.ids.size());
    return timed([&] {
      advance(input.ids, {.tail = &repeated, .past = past, .score = [&](size_t kv_layer) {
                            return scores.request(kv_layer, 0, keys);
                          }});
      expect(tail_.end_position(), next);
      return scores.download();
    });
  }

  /// Behind the whole document, where questions will stand, so that scores are those of local scoring: right behind a
  /// chunk other rows of it seem important. But sliding layers would see nothing of the chunk from there.
  size_t repetition_position() const {
    const std::vector<size_t>& windows = tail_.shape().windows;
    const bool slides = std::ranges::any_of(windows, [](size_t window) { return window > 0; });
    return slides ? tail_.end_position() : system_ + document_.size();
  }

  /// Leaves of the chunk before what is kept of it. The device meanwhile reads the next one, which sees it whole: so it
  /// doesn't wait for the choice.
  void leave_before() {
    if (!before_) return;
    if (scored_heads_ > 0) keep(*before_->input, before_->scores());
    tail_.drop_rows(system_, before_->input->len);
    before_.reset();
  }

  BestScores held_scores() const {
    BestScores held{scores_.layers, scores_.kv_heads, scores_.len};
    for (size_t i = 0; i < scored_heads_; ++i) held.heads.push_back(kept_.scores(i / held.kv_heads, i % held.kv_heads));
    return held;
  }

  /// Takes the chunk's best rows out of the tail. Where that is more than may be held, the best of all stay.
  void keep(const RepeatInput& input, const Scores& chunk) {
    const bool by_scores = options_.chunk_keep == 0;
    const double share = by_scores ? share_.of(chunk, kept_.pairs()) : options_.chunk_keep;
    const auto pairs = static_cast<double>(scores_.values.size());  // of the whole document
    const double ratio = by_scores ? std::min(share_.best() / pairs, options_.ratio) : options_.ratio;
    const Selection of_chunk = select(chunk, options_.level, share);
    std::vector<KeptRows::Change> changes(scored_heads_);
    each_head([&](size_t i, std::span<float> scores) {
      const auto from = chunk.row(i / chunk.kv_heads, i % chunk.kv_heads);
      std::ranges::copy(from, scores.subspan(input.begin, input.len).begin());
      for (const uint32_t row : best_rows(from, of_chunk, i)) {
        changes[i].rows.push_back(static_cast<uint32_t>(system_) + row);
        changes[i].positions.push_back(static_cast<uint32_t>(input.begin) + row);
        changes[i].scores.push_back(from[row]);
      }
    });
    const size_t most = most_held(tail_.shape(), document_.size(), ratio);
    if (kept_.pairs() + of_chunk.keep.pairs() > most) cut(changes, ratio);
    std::vector<Segment> chunk_rows;
    for (const size_t layer : tail_.shape().global_layers()) chunk_rows.push_back(tail_.segment(layer));
    kept_.update(changes, chunk_rows);
  }

  /// Of the rows held and those that `changes` add to them, the best of all heads stay: `ratio` of the whole document.
  void cut(std::vector<KeptRows::Change>& changes, double ratio) {
    std::vector<std::vector<float>> all(changes.size());
    each_head([&](size_t i, std::span<float>) {
      const std::span<const float> held = kept_.scores(i / scores_.kv_heads, i % scores_.kv_heads);
      all[i].reserve(held.size() + changes[i].scores.size());
      all[i].assign(held.begin(), held.end());
      all[i].insert(all[i].end(), changes[i].scores.begin(), changes[i].scores.end());
    });
    const BestScores best{scores_.layers, scores_.kv_heads, scores_.len, {all.begin(), all.end()}};
    const Selection selection = select(best, options_.level, ratio);
    each_head([&](size_t i, std::span<float>) {
      if (all[i].size() > selection.keep.rows[i]) drop(changes[i], best_rows(all[i], selection, i), all[i].size());
    });
  }

  /// Of one head's scores, those of a selection.
  static std::vector<uint32_t> best_rows(std::span<const float> scores, const Selection& selection, size_t i) {
    const uint32_t rows = selection.keep.rows[i];
    return selection.threshold > 0 ? places_above(scores, selection.threshold, rows) : largest_in_order(scores, rows);
  }

  /// Of the `all` rows that are those of one head held and those that `change` adds, leaves the `best`.
  static void drop(KeptRows::Change& change, std::vector<uint32_t> best, size_t all) {
    const size_t held = all - change.rows.size();
    const auto of_chunk = std::ranges::lower_bound(best, held);
    KeptRows::Change left;
    for (auto place = of_chunk; place != best.end(); ++place) {
      const size_t added = *place - held;
      left.rows.push_back(change.rows[added]);
      left.positions.push_back(change.positions[added]);
      left.scores.push_back(change.scores[added]);
    }
    best.erase(of_chunk, best.end());
    left.places = std::move(best);
    change = std::move(left);
  }

  /// Rules that count rows may name more of a head than were ever kept.
  void limit_to_held(Keep& keep) const {
    for (size_t i = 0; i < keep.rows.size(); ++i) {
      const size_t held = kept_.positions(i / keep.kv_heads, i % keep.kv_heads).size();
      keep.rows[i] = static_cast<uint32_t>(std::min<size_t>(keep.rows[i], held));
    }
  }

  /// Calls work(head, its scores) for all scored heads, by all threads.
  template <class Work>
  void each_head(const Work& work) {
    parallel_ranges(scored_heads_, 1, [&](size_t begin, size_t end) {
      for (size_t i = begin; i < end; ++i) work(i, scores_.row(i / scores_.kv_heads, i % scores_.kv_heads));
    });
  }

  /// Calls work(score, whether its row is held) for all rows of a head.
  template <class Work>
  void each_row(size_t i, std::span<float> scores, const Work& work) const {
    const std::span<const uint32_t> held = kept_.positions(i / scores_.kv_heads, i % scores_.kv_heads);
    size_t next = 0;
    for (size_t row = 0; row < scores.size(); ++row) {
      const bool is_held = next < held.size() && held[next] == row;
      next += static_cast<size_t>(is_held);
      work(scores[row], is_held);
    }
  }

  /// Scores of rows that were dropped come below the lowest of those that are held, in the order that they had: so
  /// whoever asks for more rows than are held asks for them too.
  void sink_dropped() {
    struct Bounds {
      float lowest_held = 1;
      float most_dropped = 0;
    };
    std::vector<Bounds> bounds(scored_heads_);
    each_head([&](size_t i, std::span<float> scores) {
      each_row(i, scores, [&](float score, bool is_held) {
        if (is_held && score > 0) bounds[i].lowest_held = std::min(bounds[i].lowest_held, score);
        if (!is_held) bounds[i].most_dropped = std::max(bounds[i].most_dropped, score);
      });
    });
    Bounds all;
    for (const Bounds& each : bounds) {
      all.lowest_held = std::min(all.lowest_held, each.lowest_held);
      all.most_dropped = std::max(all.most_dropped, each.most_dropped);
    }
    const float factor = all.most_dropped > 0 ? all.lowest_held / 2 / all.most_dropped : 0;
    each_head([&](size_t i, std::span<float> scores) {
      each_row(i, scores, [&](float& score, bool is_held) {
        if (!is_held) score *= factor;
      });
    });
  }

  const Model& model_;
  const StreamOptions& options_;
  std::vector<TokenId> prompt_, document_;
  size_t system_;  // rows of the prompt
  ChunkShare share_;
  size_t batch_;
  Tail tail_;            // [system prompt | the chunk before | the one that is read]
  size_t scored_heads_;  // of all layers
  KeptRows kept_;
  Scores scores_;  // of all rows that were read
  Forward forward_;
  std::vector<RepeatInput> inputs_;
  std::optional<Whole> before_;
  size_t total_ = 0, done_ = 0;
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
