// Streaming on tiny models: what each chunk reads, scores and leaves, against a restatement that keeps every chunk in a
// tail of its own and its kept rows in plain vectors; and how much memory it takes, counted at the backend.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "kvzip/backend/cpu/cpu_backend.h"
#include "kvzip/kvzip.h"
#include "kvzip/stages/chunk_share.h"
#include "tests/test_paths.h"
#include "tests/tiny_documents.h"

namespace kvzip {
namespace {

constexpr size_t kSystem = 5;
constexpr size_t kBatch = 7;

/// The rule of level `pair` in one line: the value that kept ones exceed.
float plain_threshold(std::vector<float> values, double ratio) {
  std::ranges::sort(values, std::greater());
  const auto wanted = static_cast<size_t>(static_cast<double>(values.size()) * ratio);
  return values[wanted > 0 ? wanted - 1 : 0];
}

/// What is kept of one head, row by row.
struct PlainHead {
  std::vector<size_t> positions;
  std::vector<float> scores, keys, values;
};

/// Streaming as its description says it, by level `pair`.
class PlainStream {
 public:
  PlainStream(const Model& model, std::vector<TokenId> document, double ratio, double chunk_keep)
      : model_(model),
        document_(std::move(document)),
        shape_(model.cache_shape(DType::f32)),
        global_(shape_.global_layers()),
        ratio_(ratio),
        chunk_keep_(chunk_keep),
        share_(ratio),
        heads(global_.size() * shape_.kv_heads) {}

  void run(const std::vector<RepeatInput>& inputs) {
    for (const RepeatInput& input : inputs) {
      read(input);
      if (input.begin > 0) keep();
      last_ = {input.begin, input.len, tails_.size() - 1, score(input)};
    }
    keep();
    cut(ratio_);
  }

 private:
  struct Chunk {
    size_t begin = 0;
    size_t len = 0;
    size_t tail = 0;
    std::vector<float> scores{};  // [heads, len]
  };

  /// Sees the system prompt, what is kept, and all of the chunk before.
  void read(const RepeatInput& input) {
    const bool first = input.begin == 0;
    std::vector<TokenId> tokens = first ? some_tokens(kSystem, 3) : std::vector<TokenId>();
    tokens.insert(tokens.end(), document_.begin() + static_cast<std::ptrdiff_t>(input.begin),
                  document_.begin() + static_cast<std::ptrdiff_t>(input.begin + input.len));
    Tail tail(model_.backend(), shape_, first ? 0 : kSystem + input.begin);
    Forward(model_).run({.tokens = tokens, .tail = &tail, .past = [&](size_t layer, std::vector<Segment>& segments) {
                           before(layer, tails_.size(), segments);
                           if (shape_.windows[layer] > 0 || first) return;
                           segments.push_back(kept(layer));
                           segments.push_back(chunk_before(layer));
                         }});
    tails_.push_back(std::move(tail));
  }

  Segment chunk_before(size_t layer) {
    const Segment all = tails_.back().segment(layer);
    before_.assign(all.heads.begin(), all.heads.end());
    for (KvRows& head : before_) {
      const size_t skipped = last_.tail == 0 ? kSystem * shape_.head_row_bytes() : 0;
      head = {static_cast<std::byte*>(head.k) + skipped, static_cast<std::byte*>(head.v) + skipped, last_.len};
    }
    return {.heads = before_, .dtype = DType::f32, .positional = false};
  }

  /// Of the chunk that was scored last.
  void keep() {
    const double share = chunk_keep_ > 0 ? chunk_keep_ : next_share();
    const float threshold = plain_threshold(last_.scores, share);
    const size_t rows = last_.tail == 0 ? kSystem : 0;  // before the chunk's in its tail
    size_t held = 0;
    for (size_t i = 0; i < heads.size(); ++i) {
      const KvRows from = tails_[last_.tail].segment(global_[i / shape_.kv_heads]).heads[i % shape_.kv_heads];
      for (size_t row = 0; row < last_.len; ++row) {
        const float value = last_.scores[i * last_.len + row];
        if (share < 1 && !(value > threshold)) continue;
        heads[i].positions.push_back(last_.begin + row);
        heads[i].scores.push_back(value);
        append_row(heads[i].keys, from.k, rows + row);
        append_row(heads[i].values, from.v, rows + row);
      }
      held += heads[i].positions.size();
    }
    // Chunks that keep by their scores also leave no more of those before.
    const auto read = static_cast<double>(last_.begin + last_.len) / static_cast<double>(document_.size());
    const double best = (ratio_ + std::max(0.5 - ratio_, 0.0) / ++chunks_) * read;
    const double most = chunk_keep_ > 0 ? ratio_ : std::min(ratio_, best);
    const auto all = static_cast<double>(heads.size() * document_.size());
    if (static_cast<double>(held) > all * most * 33 / 32) cut(most);
  }

  double next_share() {
    Scores scores(global_.size(), shape_.kv_heads, last_.len);
    scores.values = last_.scores;
    size_t held = 0;
    for (const PlainHead& head : heads) held += head.positions.size();
    return share_.of(scores, held);
  }

  /// Log scores by attention itself, [heads, chunk], over segments made for it.
  std::vector<float> score(const RepeatInput& input) {
    std::vector<float> scores(heads.size() * input.len, -INFINITY);
    std::vector<std::vector<float>> memory;
    std::vector<KvRows> rows;
    ScoreRequest request{.system_len = kSystem, .chunk_begin = kSystem, .chunk_len = input.len, .log_score = {}};
    const bool slides = global_.size() < shape_.layers();
    Tail repeated(model_.backend(), shape_, slides ? tails_.back().end_position() : kSystem + document_.size());
    Forward(model_).run({.tokens = input.ids,
                         .tail = &repeated,
                         .past =
                             [&](size_t layer, std::vector<Segment>& segments) {
                               if (shape_.windows[layer] > 0) return before(layer, tails_.size(), segments);
                               memory.clear();
                               rows.clear();
                               memory.reserve(2 * shape_.kv_heads);
                               for (size_t h = 0; h < shape_.kv_heads; ++h) {
                                 for (const bool keys : {true, false}) {
                                   std::vector<float>& to = memory.emplace_back();
                                   for (size_t row = 0; row < kSystem + input.len; ++row) {
                                     const bool system = row < kSystem;
                                     const Tail& from = system ? tails_.front() : tails_.back();
                                     const KvRows& head = from.segment(layer).heads[h];
                                     append_row(to, keys ? head.k : head.v,
                                                system || tails_.size() == 1 ? row : row - kSystem);
                                   }
                                 }
                                 rows.push_back({memory[2 * h].data(), memory[2 * h + 1].data(), kSystem + input.len});
                               }
                               segments.push_back({.heads = rows, .dtype = DType::f32, .positional = false});
                             },
                         .score = [&](size_t layer) -> const ScoreRequest* {
                           const auto found = std::ranges::find(global_, layer);
                           if (found == global_.end()) return nullptr;
                           const auto scored = static_cast<size_t>(found - global_.begin());
                           request.log_score = {scores.data() + scored * shape_.kv_heads * input.len, DType::f32,
                                                shape_.kv_heads, input.len, input.len * sizeof(float)};
                           return &request;
                         }});
    for (float& value : scores) value = std::exp(value);
    return scores;
  }

  /// Of sliding layers all rows of earlier chunks, of global ones those of the system prompt.
  void before(size_t layer, size_t chunks, std::vector<Segment>& segments) {
    if (shape_.windows[layer] > 0) {
      for (size_t i = 0; i < chunks; ++i) segments.push_back(tails_[i].segment(layer));
    } else if (chunks > 0) {
      Segment system = tails_.front().segment(layer);
      system_.assign(system.heads.begin(), system.heads.end());
      for (KvRows& head : system_) head.len = kSystem;
      system.heads = system_;
      segments.push_back(system);
    }
  }

  Segment kept(size_t layer) {
    const auto scored = static_cast<size_t>(std::ranges::find(global_, layer) - global_.begin());
    kept_.clear();
    for (size_t h = 0; h < shape_.kv_heads; ++h) {
      PlainHead& head = heads[scored * shape_.kv_heads + h];
      kept_.push_back({head.keys.data(), head.values.data(), head.positions.size()});
    }
    return {.heads = kept_, .dtype = DType::f32, .positional = false};
  }

  void append_row(std::vector<float>& to, const void* rows, size_t row) const {
    const float* const from = static_cast<const float*>(rows) + row * shape_.head_dim;
    to.insert(to.end(), from, from + shape_.head_dim);
  }

  /// To `ratio` of the whole document.
  void cut(double ratio) {
    std::vector<float> all(heads.size() * document_.size(), -1);  // rows that are gone or to come
    size_t next = 0;
    for (const PlainHead& head : heads) {
      for (const float score : head.scores) all[next++] = score;
    }
    const float threshold = ratio < 1 ? plain_threshold(all, ratio) : -1;
    for (PlainHead& head : heads) {
      PlainHead left;
      for (size_t i = 0; i < head.positions.size(); ++i) {
        if (!(head.scores[i] > threshold)) continue;
        left.positions.push_back(head.positions[i]);
        left.scores.push_back(head.scores[i]);
        append_row(left.keys, head.keys.data(), i);
        append_row(left.values, head.values.data(), i);
      }
      head = std::move(left);
    }
  }

  const Model& model_;
  std::vector<TokenId> document_;
  CacheShape shape_;
  std::vector<size_t> global_;
  double ratio_, chunk_keep_;
  int chunks_ = 0;
  ChunkShare share_;
  std::vector<Tail> tails_;
  std::vector<KvRows> system_, kept_, before_;
  Chunk last_;

 public:
  std::vector<PlainHead> heads;  // [global layers * kv_heads]
};

class StreamingTest : public testing::TestWithParam<const char*> {
 protected:
  StreamingTest() { backend_->set_precision(Precision::exact); }

  const Model& model() {
    if (!model_) model_ = Model::load(std::string(KVZIP_SOURCE_DIR "/tests/golden/tiny/") + GetParam(), *backend_);
    return *model_;
  }
  StreamOptions options(const std::vector<RepeatInput>& inputs, size_t chunk, double ratio, double chunk_keep) {
    return {.ratio = ratio,
            .kv_type = DType::f32,
            .chunk = chunk,
            .chunk_keep = chunk_keep,
            .batch = kBatch,
            .inputs = &inputs,
            .progress = {}};
  }

 private:
  std::unique_ptr<Backend> backend_ = make_cpu_backend();
  std::optional<Model> model_;
};

TEST_P(StreamingTest, KeepsWhatItsDescriptionSays) {
  const std::vector<TokenId> document = some_tokens(101, 7);
  const std::vector<RepeatInput> inputs = inputs_for(document, 17);
  struct Case {
    double ratio, chunk_keep;
  };
  for (const Case& each : {Case{0.3, 0.5}, Case{0.2, 0.2}, Case{0.4, 1}, Case{1, 1}, Case{0.3, 0}, Case{0.7, 0}}) {
    const Streamed streamed =
        stream_ids(model(), some_tokens(kSystem, 3), document, options(inputs, 17, each.ratio, each.chunk_keep));
    PlainStream plain(model(), document, each.ratio, each.chunk_keep);
    plain.run(inputs);
    const Context& context = streamed.context;
    EXPECT_EQ(context.read_tokens(), kSystem + document.size());
    EXPECT_NEAR(context.held().ratio(), each.ratio, 0.03);  // ties, and what rounding takes from each chunk
    const ContextCut cut(context, context.held());
    const size_t heads = context.shape().kv_heads, dim = context.shape().head_dim;
    for (size_t i = 0; i < plain.heads.size(); ++i) {
      const PlainHead& head = plain.heads[i];
      const auto order = context.order(i / heads, i % heads);
      std::vector<size_t> ours(order.begin(), order.end());
      std::ranges::sort(ours);
      ASSERT_EQ(ours, head.positions) << each.ratio << ' ' << i;
      const KvRows& rows = cut.segment(context.scored_layers()[i / heads]).heads[i % heads];
      for (size_t place = 0; place < order.size(); ++place) {
        const auto found = std::ranges::find(head.positions, order[place]);
        const auto row = static_cast<size_t>(found - head.positions.begin());
        ASSERT_NEAR(context.scores().row(i / heads, i % heads)[order[place]], head.scores[row], 1e-5);
        for (size_t d = 0; d < dim; ++d) {
          const size_t at = (kSystem + place) * dim + d;
          ASSERT_NEAR(static_cast<const float*>(rows.k)[at], head.keys[row * dim + d], 1e-4);
          ASSERT_NEAR(static_cast<const float*>(rows.v)[at], head.values[row * dim + d], 1e-4);
        }
      }
    }
  }
}

TEST_P(StreamingTest, OfOneChunkIsReadingScoringAndCompressing) {
  const std::vector<TokenId> document = some_tokens(43, 7);
  const std::vector<RepeatInput> inputs = inputs_for(document, 43);
  for (const Level level : {Level::pair, Level::pair_uniform, Level::per_layer, Level::pyramid}) {
    Reading reading = prefill_ids(model(), some_tokens(kSystem, 3), document,
                                  {.kv_type = DType::f32, .batch = kBatch, .progress = {}});
    Scores scores = score(model(), reading, inputs, {.batch = kBatch, .progress = {}});
    const Keep keep = select(scores, level, 0.3).keep;
    const Context expected = compress(model(), std::move(reading), std::move(scores), keep);
    StreamOptions how = options(inputs, 43, 0.3, 1);
    how.level = level;
    const Streamed streamed = stream_ids(model(), some_tokens(kSystem, 3), document, how);
    EXPECT_EQ(streamed.context.held().rows, expected.held().rows);
    EXPECT_EQ(streamed.context.bytes(), expected.bytes());
    for (size_t i = 0; i < keep.rows.size(); ++i) {
      const auto ours = streamed.context.order(i / keep.kv_heads, i % keep.kv_heads);
      const auto theirs = expected.order(i / keep.kv_heads, i % keep.kv_heads);
      EXPECT_TRUE(std::equal(ours.begin(), ours.end(), theirs.begin(), theirs.end()));
    }
  }
}

TEST_P(StreamingTest, CutsFurtherButNotBack) {
  const std::vector<TokenId> document = some_tokens(90, 7);
  const std::vector<RepeatInput> inputs = inputs_for(document, 20);
  const Streamed streamed = stream_ids(model(), some_tokens(kSystem, 3), document, options(inputs, 20, 0.3, 0.6));
  const Scores& scores = streamed.context.scores();
  for (const float score : scores.values) EXPECT_GE(score, 0);
  const ContextCut less(streamed.context, select(scores, Level::pair, 0.1).keep);
  EXPECT_NEAR(less.keep().ratio(), 0.1, 0.01);
  EXPECT_THROW(ContextCut(streamed.context, select(scores, Level::pair, 0.7).keep), Error);
  EXPECT_THROW(ContextCut(streamed.context, select(scores, Level::pair, 1).keep), Error);
}

TEST_P(StreamingTest, RefusesWhatItCannotDo) {
  const std::vector<TokenId> document = some_tokens(30, 7);
  const std::vector<RepeatInput> inputs = inputs_for(document, 10);
  const auto run = [&](const StreamOptions& how) { stream_ids(model(), some_tokens(kSystem, 3), document, how); };
  for (const double ratio : {0.0, -1.0, 1.5}) EXPECT_THROW(run(options(inputs, 10, ratio, 0.5)), Error);
  for (const double ratio : {-1.0, 1.5}) EXPECT_THROW(run(options(inputs, 10, 0.5, ratio)), Error);
  StreamOptions how = options(inputs, 10, 0.3, 0.5);
  how.level = Level::head;
  EXPECT_THROW(run(how), Error);
  how = options(inputs, 10, 0.3, 0.5);
  size_t reports = 0;
  how.progress = [&](const Progress& at) {
    EXPECT_LE(at.done, at.total);
    return ++reports < 9;
  };
  EXPECT_THROW(run(how), Error);
  EXPECT_EQ(reports, 9U);
}

INSTANTIATE_TEST_SUITE_P(Families, StreamingTest,
                         testing::Values("llama", "qwen3", "gemma3", "gpt2_scored", "swiftkv_across"),
                         [](const auto& name) { return std::string(name.param); });

/// Counts what is taken and given back.
class CountingCpu final : public CpuBackend {
 public:
  void* acquire(size_t bytes) override {
    held_ += bytes;
    peak_ = std::max(peak_, held_);
    return CpuBackend::acquire(bytes);
  }
  void release(void* data, size_t bytes) noexcept override {
    held_ -= bytes;
    CpuBackend::release(data, bytes);
  }
  /// The most that `run` adds to what is held.
  template <class Run>
  size_t peak_of(const Run& run) {
    const size_t before = held_;
    peak_ = held_;
    run();
    return peak_ - before;
  }

 private:
  size_t held_ = 0, peak_ = 0;
};

// A longer document takes as much more memory as is kept of it, with a thirty-second as room and another for what its
// layers' shares may grow, and what one of 4 layers needs to move.
TEST(StreamingMemory, GrowsByWhatIsKept) {
  CountingCpu backend;
  const Model model = Model::load(KVZIP_SOURCE_DIR "/tests/golden/tiny/llama", backend);
  constexpr size_t kChunk = 50;
  const size_t token_bytes = model.cache_shape(DType::f16).token_bytes();
  const auto peak = [&](size_t chunks) {
    const std::vector<TokenId> document = some_tokens(chunks * kChunk, 7);
    const std::vector<RepeatInput> inputs = inputs_for(document, kChunk);
    return backend.peak_of([&] {
      stream_ids(model, some_tokens(kSystem, 3), document,
                 {.ratio = 0.3,
                  .level = Level::pair_uniform,
                  .chunk = kChunk,
                  .chunk_keep = 1,
                  .batch = kChunk,
                  .inputs = &inputs,
                  .progress = {}});
    });
  };
  const auto whole = static_cast<double>(10 * kChunk * token_bytes);
  const auto growth = static_cast<double>(peak(20)) - static_cast<double>(peak(10));
  EXPECT_GT(growth, 0.29 * whole);
  EXPECT_LT(growth, 0.3 * 33 / 32 * 33 / 32 * 5 / 4 * whole + 0.01 * whole);
}

}  // namespace
}  // namespace kvzip
