// Local scoring, on tiny models: against plain loops over queries and keys, and as what it is for one chunk, exact.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "kvzip/kvzip.h"
#include "tests/test_paths.h"

namespace kvzip {
namespace {

constexpr size_t kSystem = 5;

std::vector<TokenId> some_tokens(size_t count, size_t step) {
  std::vector<TokenId> ids(count);
  for (size_t i = 0; i < count; ++i) ids[i] = static_cast<TokenId>((11 + i * i * step) % 251);
  return ids;
}

/// Chunks of at most `chunk` tokens behind a made-up instruction.
std::vector<RepeatInput> inputs_for(const std::vector<TokenId>& document, size_t chunk) {
  std::vector<RepeatInput> inputs;
  for (size_t begin = 0; begin < document.size(); begin += chunk) {
    const auto first = document.begin() + static_cast<std::ptrdiff_t>(begin);
    RepeatInput input{begin, std::min(chunk, document.size() - begin), some_tokens(3 + begin % 4, 17)};
    input.ids.insert(input.ids.end(), first, first + static_cast<std::ptrdiff_t>(input.len));
    inputs.push_back(std::move(input));
  }
  return inputs;
}

class LocalScoring : public testing::TestWithParam<const char*> {
 protected:
  LocalScoring() { backend_->set_precision(Precision::exact); }

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
    };
    Forward(model).run({.tokens = input.ids, .tail = &repeated_, .past = past, .observe = observe});
  }

  /// Raises `scores` of the chunk by plain loops over one layer's queries.
  void raise(Scores& scores, size_t layer, size_t scored) const {
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
          best = std::max(best, static_cast<float>(shares[kSystem + i] / sum));
        }
      }
    }
  }

 private:
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
  std::vector<Part> system_, chunk_;              // per KV layer
  std::map<size_t, std::vector<float>> queries_;  // per layer, [tokens, heads, head_dim]
};

TEST_P(LocalScoring, IsTheSoftmaxOverSystemChunkAndRepetition) {
  const Reading reading = read(45);
  const std::vector<RepeatInput> inputs = inputs_for(reading.document, 16);
  const std::vector<size_t> scored = reading.tail.shape().global_layers();
  Scores expected(scored.size(), model().config().kv_heads, reading.document.size());
  for (const RepeatInput& input : inputs) {
    const Repetition repetition(model(), reading, input);
    for (size_t layer = 0; layer < model().config().layers; ++layer) {
      const auto found = std::find(scored.begin(), scored.end(), model().config().kv_layer(layer));
      if (found != scored.end()) repetition.raise(expected, layer, static_cast<size_t>(found - scored.begin()));
    }
  }
  const Scores local = score_as(Scoring::local, reading, inputs), exact = score_as(Scoring::exact, reading, inputs);
  double from_exact = 0;
  for (size_t i = 0; i < expected.values.size(); ++i) {
    ASSERT_NEAR(local.values[i], expected.values[i], 1e-5);
    from_exact = std::max<double>(from_exact, std::abs(exact.values[i] - expected.values[i]));
  }
  EXPECT_GT(from_exact, 1e-4);  // the rest of the document is seen there
}

TEST_P(LocalScoring, OfOneChunkIsExact) {
  const Reading reading = read(37);
  const std::vector<RepeatInput> inputs = inputs_for(reading.document, 37);
  EXPECT_EQ(score_as(Scoring::local, reading, inputs).values, score_as(Scoring::exact, reading, inputs).values);
}

INSTANTIATE_TEST_SUITE_P(Families, LocalScoring,
                         testing::Values("llama", "qwen3", "gemma3", "gpt2_scored", "swiftkv_across"),
                         [](const auto& name) { return std::string(name.param); });

}  // namespace
}  // namespace kvzip
