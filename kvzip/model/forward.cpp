#include "kvzip/model/forward.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <numeric>

#include "kvzip/base/check.h"

namespace kvzip {

Forward::Forward(const Model& model) : model_(&model) {
  const Arch& arch = *model.config().arch;
  if (!arch.learned_positions) rope_ = make_rope(model.config().rope);
  if (model.config().local_rope) local_rope_ = make_rope(*model.config().local_rope);
}

std::span<const float> Forward::run(const Batch& batch) {
  const ModelConfig& config = model_->config();
  rows_ = batch.tokens.size();
  first_position_ = batch.tail->end_position();
  check(rows_ > 0, "a batch has tokens");
  // After the last layer's keys are stored, only rows that get logits are still needed; after the last own keys are
  // stored and the shared ones made, only those and the ones that score or are observed.
  const size_t with_logits = batch.logits == Logits::all ? rows_ : batch.logits == Logits::last ? 1 : 0;
  const size_t late_rows = batch.score || batch.observe ? rows_ : with_logits;
  const size_t layers = late_rows > 0 ? config.layers : config.own_kv_layers;
  try {
    prepare();
    embed(batch.tokens);
    for (size_t index = 0; index < layers; ++index) {
      const size_t in = index < config.own_kv_layers ? rows_ : late_rows;
      layer(batch, index, in, index + 1 < config.layers ? in : with_logits);
      if (index + 1 == config.own_kv_layers) append_shared_kv(*batch.tail);
      if (batch.on_layer) batch.on_layer(index + 1, layers);
    }
    return logits(with_logits);
  } catch (...) {
    batch.tail->truncate(first_position_);
    throw;
  }
}

void Forward::embed(std::span<const TokenId> tokens) {
  Backend& backend = model_->backend();
  const Weights& weights = model_->weights();
  const ModelConfig& config = model_->config();
  const float scale = config.arch->scale_embedding ? std::sqrt(static_cast<float>(config.hidden)) : 1.0F;
  backend.embed(tokens, weights.embedding, scale, x_.view(rows_));
  if (!config.arch->learned_positions) return;
  if (first_position_ + rows_ > weights.positions.rows) {
    throw Error(ErrorCode::input, fmt::format("context: expected at most the {} positions that the model has learned, "
                                              "found {} tokens",
                                              weights.positions.rows, first_position_ + rows_));
  }
  positions_.resize(rows_);
  std::iota(positions_.begin(), positions_.end(), static_cast<int32_t>(first_position_));
  backend.embed(positions_, weights.positions, 1.0F, normed_.view(rows_));
  backend.add(x_.view(rows_), normed_.view(rows_));
}

void Forward::layer(const Batch& batch, size_t index, size_t in, size_t out) {
  project(index, in);
  if (index < model_->config().own_kv_layers) batch.tail->append(index, k_.view(in), v_.view(in));
  if (batch.observe) batch.observe({index, first_position_ + rows_ - in, last(x_, in), last(q_, in)});
  attend(batch, index, in, out);
  if (out > 0) feed_forward(index, out);
}

void Forward::feed_forward(size_t index, size_t rows) {
  Backend& backend = model_->backend();
  const Arch& arch = *model_->config().arch;
  const LayerWeights& weights = model_->weights().layers[index];
  const View x = last(x_, rows), normed = normed_.view(rows), gate = gate_.view(rows), up = up_.view(rows);

  norm(x, weights.feed_forward_norm, normed);
  if (arch.gated) {
    backend.linear(normed, std::array{LinearPart{weights.gate, weights.gate_bias, gate, false},
                                      LinearPart{weights.up, weights.up_bias, up, false}});
    backend.gated_activation(gate, up, arch.activation);
  } else {
    backend.linear(normed, std::array{LinearPart{weights.up, weights.up_bias, gate, false}});
    backend.activate(gate, arch.activation);
  }
  if (weights.post_feed_forward_norm == nullptr) {
    backend.linear(gate, std::array{LinearPart{weights.down, weights.down_bias, x, true}});
  } else {
    backend.linear(gate, std::array{LinearPart{weights.down, weights.down_bias, normed, false}});
    backend.rms_norm(normed, weights.post_feed_forward_norm, model_->config().norm_eps, normed);
    backend.add(x, normed);
  }
}

void Forward::norm(const ConstView& x, const NormWeights& weights, const View& out) {
  const float eps = model_->config().norm_eps;
  if (model_->config().arch->layer_norm) {
    model_->backend().layer_norm(x, weights.weight, weights.bias, eps, out);
  } else {
    model_->backend().rms_norm(x, weights.weight, eps, out);
  }
}

std::span<const float> Forward::logits(size_t rows) {
  if (rows == 0) return {};
  Backend& backend = model_->backend();
  const ModelConfig& config = model_->config();
  if (logits_.view().rows < rows) logits_ = Tensor(backend, DType::f32, rows, config.vocab);
  const View out = logits_.view(rows), normed = normed_.view(rows);
  norm(last(x_, rows), model_->weights().output_norm, normed);
  backend.linear(normed, std::array{LinearPart{model_->weights().output, nullptr, out, false}});
  host_logits_.resize(rows * config.vocab);
  backend.download(host_logits_.data(), out.data, host_logits_.size() * sizeof(float));
  return host_logits_;
}

void Forward::prepare() {
  ensure(rows_);
  const auto upload = [&](const Rope& rope, const Tensor& table) {
    if (rope.frequencies.empty()) return;
    host_angles_.resize(rows_ * table.view().cols);
    fill_cos_sin(rope, first_position_, rows_, host_angles_.data());
    model_->backend().upload(table.view().data, host_angles_.data(), host_angles_.size() * sizeof(float));
  };
  upload(rope_, cos_sin_);
  upload(local_rope_, local_cos_sin_);
}

void Forward::ensure(size_t rows) {
  if (rows <= capacity_) return;
  const ModelConfig& config = model_->config();
  const DType activations = model_->backend().activation_type();
  const auto matrix = [&](DType type, size_t cols) { return Tensor(model_->backend(), type, rows, cols); };
  x_ = matrix(DType::f32, config.hidden);
  normed_ = matrix(activations, config.hidden);
  q_ = matrix(activations, config.heads * config.head_dim);
  k_ = matrix(activations, config.kv_heads * config.head_dim);
  v_ = matrix(activations, config.kv_heads * config.head_dim);
  attended_ = matrix(activations, config.heads * config.head_dim);
  gate_ = matrix(activations, config.feed_forward);
  if (config.arch->gated) up_ = matrix(activations, config.feed_forward);
  if (!rope_.frequencies.empty()) cos_sin_ = matrix(DType::f32, config.rope.dims);
  if (config.local_rope) local_cos_sin_ = matrix(DType::f32, config.local_rope->dims);
  capacity_ = rows;
}

}  // namespace kvzip
