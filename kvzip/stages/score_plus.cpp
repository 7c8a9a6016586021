#include "kvzip/stages/score_plus.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "kvzip/base/parallel.h"
#include "kvzip/policy/attention_shares.h"
#include "kvzip/policy/vectors.h"
#include "kvzip/stages/chunk_rows.h"
#include "kvzip/stages/host_rows.h"

namespace kvzip {
namespace {

/// |W_O,g v| of one layer's query heads.
class OutputNorms {
 public:
  OutputNorms(const Model& model, size_t layer) : dim_(model.config().head_dim) {
    const ConstView output = model.weights().layers[layer].o;
    std::vector<float> weights(output.rows * output.cols);
    fetch(model.backend(), output, weights.data());
    grams_.resize(output.cols * dim_);
    parallel_ranges(output.cols, 1, [&](size_t begin, size_t end) {
      for (size_t column = begin; column < end; ++column) {  // of the head's matrix W'W, row by row
        float* const gram = grams_.data() + column * dim_;
        const size_t head = column / dim_ * dim_;
        for (size_t row = 0; row < output.rows; ++row) {
          const float* const weight = weights.data() + row * output.cols;
          for (size_t d = 0; d < dim_; ++d) gram[d] += weight[column] * weight[head + d];
        }
      }
    });
  }

  float of(size_t head, const float* value) const {
    float squares = 0;
    for (size_t d = 0; d < dim_; ++d) squares += value[d] * dot(grams_.data() + (head * dim_ + d) * dim_, value, dim_);
    return std::sqrt(std::max(squares, 0.0F));
  }

 private:
  size_t dim_;
  std::vector<float> grams_;  // [heads, dim, dim]
};

/// The repetition of one chunk: sees its queries and raises its scores.
class Chunk {
 public:
  Chunk(const Model& model, const Reading& reading, const RepeatInput& input, const Tail& repeated,
        std::vector<std::optional<OutputNorms>>& norms)
      : model_(model),
        input_(input),
        system_(reading.system.size()),
        norms_(norms),
        document_(model.backend(), reading.tail),
        repeated_(model.backend(), repeated),
        scored_(reading.tail.shape().global_layers()),
        best_(scored_.size(), std::vector<float>(model.config().heads * input.len)) {}

  void observe(const LayerInput& seen) {
    const ModelConfig& config = model_.config();
    const size_t kv_layer = config.kv_layer(seen.layer);
    const auto found = std::find(scored_.begin(), scored_.end(), kv_layer);
    if (found == scored_.end()) return;
    if (!norms_[seen.layer]) norms_[seen.layer].emplace(model_, seen.layer);
    gather(kv_layer);
    queries_.resize(seen.queries.rows * seen.queries.cols);
    fetch(model_.backend(), seen.queries, queries_.data());
    hidden_.resize(seen.hidden.rows * seen.hidden.cols);
    fetch(model_.backend(), seen.hidden, hidden_.data());
    std::vector<float>& best = best_[static_cast<size_t>(found - scored_.begin())];
    parallel_ranges(config.heads, 1, [&](size_t begin, size_t end) {
      for (size_t head = begin; head < end; ++head) {
        raise(seen, head, std::span(best).subspan(head * input_.len, input_.len));
      }
    });
  }

  void store(Scores& scores) const {
    const size_t group = model_.config().heads / scores.kv_heads;
    for (size_t layer = 0; layer < scored_.size(); ++layer) {
      for (size_t head = 0; head < model_.config().heads; ++head) {
        const auto row = scores.row(layer, head / group).subspan(input_.begin, input_.len);
        for (size_t i = 0; i < input_.len; ++i) row[i] = std::max(row[i], best_[layer][head * input_.len + i]);
      }
    }
  }

 private:
  /// The rows of the softmax: of system prompt, chunk, and of the repetition as far as it is.
  void gather(size_t kv_layer) {
    repeated_.refresh();
    const LayerRows& document = document_.of(kv_layer);
    const LayerRows& repeated = repeated_.of(kv_layer);
    const size_t dim = document.head_dim, first = system_ + input_.begin;
    keys_.clear();
    values_.clear();
    for (size_t head = 0; head < document.kv_heads; ++head) {
      keys_.insert(keys_.end(), document.key(head, 0), document.key(head, 0) + system_ * dim);
      keys_.insert(keys_.end(), document.key(head, first), document.key(head, first) + input_.len * dim);
      keys_.insert(keys_.end(), repeated.key(head, 0), repeated.key(head, 0) + repeated.rows * dim);
      values_.insert(values_.end(), document.value(head, first), document.value(head, first) + input_.len * dim);
    }
    rows_ = {document.kv_heads, system_ + input_.len + repeated.rows, dim, keys_, {}};
  }

  void raise(const LayerInput& seen, size_t head, std::span<float> best) const {
    const ModelConfig& config = model_.config();
    const size_t kv_head = head * config.kv_heads / config.heads;
    std::vector<float> norms(input_.len);
    for (size_t i = 0; i < input_.len; ++i) {
      norms[i] = norms_[seen.layer]->of(head, values_.data() + (kv_head * input_.len + i) * config.head_dim);
    }
    std::vector<float> shares;
    const size_t before = rows_.rows - seen.queries.rows;  // rows that the first query sees beside its own
    for (size_t query = 0; query < seen.queries.rows; ++query) {
      shares.resize(before + query + 1);
      attention_shares(rows_, kv_head, queries_.data() + query * seen.queries.cols + head * config.head_dim,
                       config.attention_scale, shares);
      const float hidden = norm(hidden_.data() + query * seen.hidden.cols, seen.hidden.cols);
      const float weight = hidden > 0 ? 1 / hidden : 0;
      for (size_t i = 0; i < input_.len; ++i) best[i] = std::max(best[i], shares[system_ + i] * weight * norms[i]);
    }
  }

  const Model& model_;
  const RepeatInput& input_;
  size_t system_;
  std::vector<std::optional<OutputNorms>>& norms_;  // per layer, made when first needed
  HostRows document_, repeated_;
  std::vector<size_t> scored_;
  std::vector<std::vector<float>> best_;  // per scored layer, [heads, chunk]
  LayerRows rows_;
  std::vector<float> keys_, values_;  // of rows_; the chunk's values, [kv_heads, chunk, dim]
  std::vector<float> queries_, hidden_;
};

}  // namespace

Scores score_plus(const Model& model, const Reading& reading, const ScoreOptions& options) {
  const size_t chunk = fitting_chunk(model, reading.tail.end_position(), options.chunk);
  return score_plus(model, reading, repeat_inputs(model, reading.document, chunk), options);
}

Scores score_plus(const Model& model, const Reading& reading, const std::vector<RepeatInput>& inputs,
                  const ScoreOptions& options) {
  const CacheShape& shape = reading.tail.shape();
  size_t total = 0;
  for (const RepeatInput& input : inputs) total += input.ids.size();
  Scores scores(shape.global_layers().size(), shape.kv_heads, reading.document.size());
  if (scores.layers == 0) return scores;
  std::vector<std::optional<OutputNorms>> norms(model.config().layers);
  ChunkRows local(reading, model.backend());
  const size_t batch = options.batch > 0 ? options.batch : model.backend().preferred_batch();
  Forward forward(model);
  size_t done = 0;
  for (const RepeatInput& input : inputs) {
    if (options.scoring == Scoring::local) local.show(input.begin, input.len);
    Tail repeated(model.backend(), shape, reading.tail.end_position());
    repeated.reserve(input.ids.size(), batch);
    Chunk chunk(model, reading, input, repeated, norms);
    const Batch each{.tail = &repeated,
                     .past = options.scoring == Scoring::local ? local.past() : past_of(reading.tail),
                     .observe = [&](const LayerInput& seen) { chunk.observe(seen); }};
    run_batches(forward, input.ids, batch, each, [&](size_t tokens) {
      report(options.progress, {"scoring", done + tokens, total});
    });
    chunk.store(scores);
    done += input.ids.size();
  }
  return scores;
}

}  // namespace kvzip
