#include "kvzip/learn/gate_learner.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "kvzip/base/error.h"
#include "kvzip/base/ranking.h"

namespace kvzip {
namespace {

// Rows that are neighbours are alike, so whole stretches are held out.
constexpr size_t kStretch = 128;
constexpr size_t kHeldOutEvery = 10;

constexpr std::array kLambdas = {1e-6, 1e-5, 1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0};

constexpr float kNats = 4;     // to either side, that logarithms are squashed to
constexpr double kBest = 0.3;  // what is above the middle

float log_score(float score) { return std::log(std::max(score, kLeastScore)); }

/// The logarithm that the best share of the scores exceed.
float middle_of(const Scores& scores) {
  if (scores.values.empty()) return 0;
  return log_score(nth_largest(scores.values, static_cast<size_t>(static_cast<double>(scores.values.size()) * kBest)));
}

bool is_held_out(size_t row) { return row / kStretch % kHeldOutEvery == kHeldOutEvery / 2; }

}  // namespace

GateLearner::GateLearner(const Model& model) : model_(&model), layers_(gate_layers(model)) {
  const ModelConfig& config = model.config();
  for (size_t layer = 0; layer < layers_.size(); ++layer) {
    learned_.emplace_back(config.hidden, config.kv_heads);
    held_out_.emplace_back(config.hidden, config.kv_heads);
  }
}

void GateLearner::add(const Reading& reading, const Scores& scores, size_t batch, const ProgressFn& progress) {
  std::vector<TokenId> tokens = reading.system;
  tokens.insert(tokens.end(), reading.document.begin(), reading.document.end());
  if (batch == 0) batch = model_->backend().preferred_batch();
  Tail again(model_->backend(), reading.tail.shape(), 0);
  again.reserve(tokens.size(), batch);
  Forward forward(*model_);
  const Batch each{.tail = &again, .observe = [&](const LayerInput& input) { see(input, reading, scores); }};
  middle_ = middle_of(scores);
  run_batches(forward, tokens, batch, each, [&](size_t done) { report(progress, {"learning", done, tokens.size()}); });
  rows_before_ += reading.document.size();
  middles_ += static_cast<double>(middle_) * static_cast<double>(reading.document.size());
}

void GateLearner::see(const LayerInput& input, const Reading& reading, const Scores& scores) {
  const auto found = std::ranges::find(layers_, input.layer);
  if (found == layers_.end()) return;
  const auto scored = static_cast<size_t>(found - layers_.begin());
  Backend& backend = model_->backend();
  const size_t width = input.hidden.cols;
  if (room_.view().rows < input.hidden.rows) room_ = Tensor(backend, DType::f32, input.hidden.rows, width);
  const View normed = room_.view(input.hidden.rows);
  attention_norm(*model_, input.layer).apply(backend, input.hidden, normed);
  inputs_.resize(input.hidden.rows * width);
  backend.download(inputs_.data(), normed.data, inputs_.size() * sizeof(float));

  const size_t system = reading.system.size();
  size_t row = std::max(system, input.first_position);
  const size_t end = input.first_position + input.hidden.rows;
  while (row < end) {
    const size_t first = row - system;  // in the document
    const size_t stop = std::min(end, row + kStretch - (rows_before_ + first) % kStretch);
    logs_.clear();
    for (size_t i = first; i < stop - system; ++i) {
      for (size_t head = 0; head < scores.kv_heads; ++head) logs_.push_back(squashed(scores.row(scored, head)[i]));
    }
    const auto x = std::span<const float>(inputs_).subspan((row - input.first_position) * width, (stop - row) * width);
    (is_held_out(rows_before_ + first) ? held_out_ : learned_)[scored].add(x, logs_);
    row = stop;
  }
}

float GateLearner::squashed(float score) const { return kNats * std::tanh((log_score(score) - middle_) / kNats); }

size_t GateLearner::rows() const { return learned_.empty() ? 0 : learned_.front().rows() + held_out_.front().rows(); }

LearnedGate GateLearner::solve() const {
  const ModelConfig& config = model_->config();
  if (learned_.empty() || learned_.front().rows() == 0 || held_out_.front().rows() == 0) {
    throw Error(ErrorCode::input, fmt::format("texts: expected more than {} tokens to learn from, found {}",
                                              kHeldOutEvery / 2 * kStretch, rows()));
  }
  LearnedGate gate;
  gate.error = INFINITY;
  for (const double lambda : kLambdas) {
    FitSums fit;
    for (size_t layer = 0; layer < layers_.size(); ++layer)
      fit.add(solve_ridge(learned_[layer], lambda), held_out_[layer]);
    const double error = std::sqrt(std::max(fit.squared_error(), 0.0));
    if (error < gate.error) {
      gate.lambda = lambda;
      gate.error = error;
      gate.correlation = fit.correlation();
    }
  }
  gate.rows = rows();
  const double middle = middles_ / static_cast<double>(rows_before_);
  gate.weights = {layers_.size(), config.kv_heads, config.hidden, {}, {}};
  for (size_t layer = 0; layer < layers_.size(); ++layer) {
    RidgeSums all = learned_[layer];
    all.add(held_out_[layer]);
    const LinearMap map = solve_ridge(all, gate.lambda);
    for (const double weight : map.weights) gate.weights.weights.push_back(static_cast<float>(weight));
    for (const double bias : map.bias) gate.weights.bias.push_back(static_cast<float>(middle + bias));
  }
  return gate;
}

}  // namespace kvzip
