// Scoring on tiny models: local scoring against plain loops over queries and keys, and as what it is for one chunk,
// exact; other methods against their rules, given queries and rows of a plain pass.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "kvzip/kvzip.h"
#include "tests/test_paths.h"
#include "tests/tiny_documents.h"

namespace kvzip {
namespace {

constexpr size_t kSystem = 5;

class ScoringTest : public testing::TestWithParam<const char*> {
 protected:
  ScoringTest() { backend_->set_precision(Precision::exact); }

  Reading read(size_t tokens) {
    return prefill_ids(model(), some_tokens(kSystem, 3), some_tokens(tokens, 7),
                       {.kv_type = DType::f32, .batch = 16, .progress = {}});
  }
  const Model& model() {
    if (!model_) model_ = Model::load(std::string(KVZIP_SOURCE_DIR "/tests/golden/tiny/") + GetParam(), *backend_);
    return *model_;
  }
  Scores score_as(Scoring scoring, const Reading& reading, const std::vector<RepeatInput>& inputs) {
    return score(model(), reading, inputs, {.scoring = scoring, .batch = 8, .progress = {}});
  }

 private:
  std::unique_ptr<Backend> backend_ = make_cpu_backend();
  std::optional<Model> model_;
};

/// Rows [begin, begin + count) of a segment.
struct Part {
  Part(const Segment& segment, size_t begin, size_t count, size_t row_bytes)
      : heads(segment.heads.begin(), segment.heads.end()) {
    for (KvRows& head : heads) {
      head.k = static_cast<std::byte*>(head.k) + begin * row_bytes;
      head.v = static_cast<std::byte*>(head.v) + begin * row_bytes;
      head.len = count;
    }
  }
  Segment segment() const { return {.heads = heads, .dtype = DType::f32, .positional = false}; }

  std::vector<KvRows> heads;
};

/// One repetition over [system | chunk], its queries and keys kept.
class Repetition {
 public:
  Repetition(const Model& model, const Reading& reading, const RepeatInput& input)
      : model_(model), input_(input), repeated_(model.backend(), reading.tail.shape(), reading.tail.end_position()) {
    const CacheShape& shape = reading.tail.shape();
    for (size_t layer = 0; layer < shape.layers(); ++layer) {
      const Segment all = reading.tail.segment(layer);
      const bool global = shape.windows[layer] == 0;
      system_.emplace_back(all, 0, global ? kSystem : 0, shape.head_row_bytes());
      chunk_.emplace_back(all, global ? kSystem + input.begin : 0, global ? input.len : 0, shape.head_row_bytes());
    }
    const PastFn past = [&](size_t layer, std::vector<Segment>& segments) {
      if (shape.windows[layer] > 0) return segments.push_back(reading.tail.segment(layer));
      segments.push_back(system_[layer].segment());
      segments.push_back(chunk_[layer].segment());
    };
    const ObserveFn observe = [&](const LayerInput& seen) {
      EXPECT_EQ(seen.first_position, reading.tail.end_position());
      std::vector<float>& queries = queries_[seen.layer];
      queries.resize(seen.queries.rows * seen.queries.cols);
      model.backend().download(queries.data(), seen.queries.data, queries.size() * sizeof(float));
      for (size_t token = 0; token < seen.hidden.rows; ++token) {
        const ConstView row = rows_of(seen.hidden, token, 1);
        double squares = 0;
        for (size_t i = 0; i < row.cols; ++i) squares += std::pow(static_cast<const float*>(row.data)[i], 2);
        hidden_norms_[seen.layer].push_back(std::sqrt(squares));
      }
    };
    Forward(model).run({.tokens = input.ids, .tail = &repeated_, .past = past, .observe = observe});
  }

  /// Raises `scores` of the chunk by plain loops over one layer's queries; weighted as KVzip+ does it.
  void raise(Scores& scores, size_t layer, size_t scored, bool weighted = false) const {
    const ModelConfig& config = model_.config();
    const size_t kv_layer = config.kv_layer(layer), group = config.heads / config.kv_heads;
    for (size_t token = 0; token < input_.ids.size(); ++token) {
      for (size_t head = 0; head < config.heads; ++head) {
        const float* query = queries_.at(layer).data() + (token * config.heads + head) * config.head_dim;
        std::vector<double> shares;
        append(shares, query, system_[kv_layer].heads[head / group], kSystem);
        append(shares, query, chunk_[kv_layer].heads[head / group], input_.len);
        append(shares, query, repeated_.segment(kv_layer).heads[head / group], token + 1);
        double sum = 0;
        for (double& share : shares) sum += share = std::exp(share);
        for (size_t i = 0; i < input_.len; ++i) {
          float& best = scores.row(scored, head / group)[input_.begin + i];
          const double weight = weighted ? output_norm(layer, head, chunk_[kv_layer].heads[head / group], i) /
                                               hidden_norms_.at(layer)[token]
                                         : 1;
          best = std::max(best, static_cast<float>(shares[kSystem + i] / sum * weight));
        }
      }
    }
  }

 private:
  /// |W v| with the output projection's columns of a query head and the value of row i.
  double output_norm(size_t layer, size_t head, const KvRows& rows, size_t i) const {
    const ConstView output = model_.weights().layers[layer].o;
    const Tensor plain(model_.backend(), DType::f32, output.rows, output.cols);
    model_.backend().convert(output, plain.view());
    const size_t dim = model_.config().head_dim;
    double squares = 0;
    for (size_t row = 0; row < output.rows; ++row) {
      const auto* weights = static_cast<const float*>(rows_of(plain.view(), row, 1).data) + head * dim;
      double sum = 0;
      for (size_t d = 0; d < dim; ++d) sum += weights[d] * static_cast<const float*>(rows.v)[i * dim + d];
      squares += sum * sum;
    }
    return std::sqrt(squares);
  }

  void append(std::vector<double>& logits, const float* query, const KvRows& rows, size_t count) const {
    const size_t dim = model_.config().head_dim;
    for (size_t row = 0; row < count; ++row) {
      double product = 0;
      for (size_t d = 0; d < dim; ++d) product += query[d] * static_cast<const float*>(rows.k)[row * dim + d];
      logits.push_back(product * model_.config().attention_scale);
    }
  }

  const Model& model_;
  const RepeatInput& input_;
  Tail repeated_;
  std::vector<Part> system_, chunk_;                    // per KV layer
  std::map<size_t, std::vector<float>> queries_;        // per layer, [tokens, heads, head_dim]
  std::map<size_t, std::vector<double>> hidden_norms_;  // per layer and token
};

TEST_P(ScoringTest, LocalIsTheSoftmaxOverSystemChunkAndRepetition) {
  const Reading reading = read(45);
  const std::vector<RepeatInput> inputs = inputs_for(reading.document, 16);
  const std::vector<size_t> scored = reading.tail.shape().global_layers();
  Scores expected(scored.size(), model().config().kv_heads, reading.document.size()), weighted = expected;
  for (const RepeatInput& input : inputs) {
    const Repetition repetition(model(), reading, input);
    for (size_t layer = 0; layer < model().config().layers; ++layer) {
      const auto found = std::find(scored.begin(), scored.end(), model().config().kv_layer(layer));
      if (found == scored.end()) continue;
      repetition.raise(expected, layer, static_cast<size_t>(found - scored.begin()));
      repetition.raise(weighted, layer, static_cast<size_t>(found - scored.begin()), true);
    }
  }
  const Scores local = score_as(Scoring::local, reading, inputs), exact = score_as(Scoring::exact, reading, inputs);
  const ScoreOptions options{.scoring = Scoring::local, .batch = 8, .progress = {}};
  const Scores plus = score_plus(model(), reading, inputs, options);
  double from_exact = 0, from_plain = 0;
  for (size_t i = 0; i < expected.values.size(); ++i) {
    ASSERT_NEAR(local.values[i], expected.values[i], 1e-5);
    ASSERT_NEAR(plus.values[i], weighted.values[i], 1e-4 * weighted.values[i] + 1e-6);
    from_exact = std::max<double>(from_exact, std::abs(exact.values[i] - expected.values[i]));
    from_plain = std::max<double>(from_plain, std::abs(plus.values[i] - expected.values[i]));
  }
  EXPECT_GT(from_exact, 1e-4);  // the rest of the document is seen there
  EXPECT_GT(from_plain, 1e-3);
}

TEST_P(ScoringTest, LocalOfOneChunkIsExact) {
  const Reading reading = read(37);
  const std::vector<RepeatInput> inputs = inputs_for(reading.document, 37);
  EXPECT_EQ(score_as(Scoring::local, reading, inputs).values, score_as(Scoring::exact, reading, inputs).values);
}

/// Queries of all rows per layer, `[rows, heads, head_dim]`, of one pass over the whole prompt.
std::map<size_t, std::vector<float>> queries_of(const Model& model, const Reading& reading) {
  std::vector<TokenId> tokens = reading.system;
  tokens.insert(tokens.end(), reading.document.begin(), reading.document.end());
  std::map<size_t, std::vector<float>> queries;
  Tail tail(model.backend(), reading.tail.shape(), 0);
  Forward(model).run({.tokens = tokens, .tail = &tail, .observe = [&](const LayerInput& input) {
                        const auto* values = static_cast<const float*>(input.queries.data);
                        queries[input.layer].assign(values, values + input.queries.rows * input.queries.cols);
                      }});
  return queries;
}

/// Keys or values of all heads of a layer.
std::vector<float> rows_of_layer(const Segment& segment, size_t head_dim, bool keys) {
  std::vector<float> all;
  for (const KvRows& head : segment.heads) {
    const auto* rows = static_cast<const float*>(keys ? head.k : head.v);
    all.insert(all.end(), rows, rows + head.len * head_dim);
  }
  return all;
}

TEST_P(ScoringTest, MethodsSeeTheRowsAndTheQueriesOfTheReading) {
  const Reading reading = read(45);
  const ModelConfig& config = model().config();
  const size_t rows = kSystem + 45, width = config.heads * config.head_dim;
  const std::vector<size_t> scored = reading.tail.shape().global_layers();
  const auto queries = queries_of(model(), reading);
  for (const char* name : {"knorm", "keydiff", "tova", "snapkv", "h2o", "expected-attention"}) {
    const ScoringMethod& method = method_by_name(name);
    const Scores scores = score_by(method, model(), reading, {.batch = 16, .progress = {}});
    const auto scorer = method.make({scored.size(), config.kv_heads, rows, &config, 0});
    const size_t count = std::min(rows, scorer->queries());
    for (size_t layer = 0; layer < scored.size(); ++layer) {
      const Segment segment = reading.tail.segment(scored[layer]);
      const auto keys = rows_of_layer(segment, config.head_dim, true),
                 values = rows_of_layer(segment, config.head_dim, false);
      const LayerRows of{config.kv_heads, rows, config.head_dim, keys, values};
      for (size_t l = 0; count > 0 && l < config.layers; ++l) {
        if (config.kv_layer(l) != scored[layer]) continue;
        const auto seen = std::span(queries.at(l)).last(count * width);
        scorer->observe(layer, {rows - count, count, config.heads, config.head_dim, seen}, of);
      }
      std::vector<float> expected(config.kv_heads * rows);
      scorer->score(layer, of, expected);
      for (size_t head = 0; head < config.kv_heads; ++head) {
        for (size_t i = 0; i < 45; ++i) {
          const float wanted = expected[head * rows + kSystem + i];
          ASSERT_NEAR(scores.row(layer, head)[i], wanted, 1e-4 * std::abs(wanted) + 1e-6) << name << ' ' << layer;
        }
      }
    }
  }
}

TEST_P(ScoringTest, MethodsCanBeCancelled) {
  const Reading reading = read(30);
  for (const char* name : {"knorm", "h2o"}) {
    size_t reports = 0;
    const ScoreOptions options{.batch = 16, .progress = [&](const Progress& at) {
                                 EXPECT_LE(at.done, at.total);
                                 return ++reports < 2;
                               }};
    EXPECT_THROW(score_by(method_by_name(name), model(), reading, options), Error);
  }
}

INSTANTIATE_TEST_SUITE_P(Families, ScoringTest,
                         testing::Values("llama", "qwen3", "gemma3", "gpt2_scored", "swiftkv_across"),
                         [](const auto& name) { return std::string(name.param); });

}  // namespace
}  // namespace kvzip
