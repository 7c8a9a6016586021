#include "kvzip/model/forward.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "kvzip/base/check.h"

namespace kvzip {

Forward::Forward(const Model& model) : model_(&model), rope_(make_rope(model.config().rope)) {
  if (model.config().arch->window_pattern != 0) local_rope_ = make_rope(model.config().local_rope);
}

std::span<const float> Forward::run(const Batch& batch) {
  const size_t rows = batch.tokens.size();
  first_position_ = batch.tail->end_position();
  check(rows > 0, "a batch has tokens");
  try {
    prepare(rows);
    const ModelConfig& config = model_->config();
    const float scale = config.arch->scale_embedding ? std::sqrt(static_cast<float>(config.hidden)) : 1.0F;
    model_->backend().embed(batch.tokens, model_->weights().embedding, scale, x_.view(rows));
    // After the last layer's keys are stored, only rows that get logits are still needed.
    const size_t rows_out = batch.logits == Logits::all ? rows : batch.logits == Logits::last ? 1 : 0;
    for (size_t index = 0; index < config.layers; ++index) {
      layer(batch, index, rows, index + 1 < config.layers ? rows : rows_out);
      if (batch.on_layer) batch.on_layer(index + 1);
    }
    return logits(rows - rows_out, rows_out);
  } catch (...) {
    batch.tail->truncate(first_position_);
    throw;
  }
}

// The last `rows_out` of the batch's rows leave the layer.
void Forward::layer(const Batch& batch, size_t index, size_t rows, size_t rows_out) {
  attention(batch, index, rows, rows_out);
  if (rows_out > 0) feed_forward(index, rows - rows_out, rows_out);
}

void Forward::attention(const Batch& batch, size_t index, size_t rows, size_t rows_out) {
  Backend& backend = model_->backend();
  const ModelConfig& config = model_->config();
  const LayerWeights& weights = model_->weights().layers[index];
  const View x = x_.view(rows), normed = normed_.view(rows), q = q_.view(rows), k = k_.view(rows), v = v_.view(rows);

  backend.rms_norm(x, weights.attention_norm, config.norm_eps, normed);
  backend.linear(normed, std::array{LinearPart{weights.q, weights.q_bias, q, false},
                                    LinearPart{weights.k, weights.k_bias, k, false},
                                    LinearPart{weights.v, weights.v_bias, v, false}});
  if (config.arch->qk_norm) {
    const auto by_head = [&](const View& view) {
      return View{view.data, view.dtype, view.rows * view.cols / config.head_dim, config.head_dim,
                  row_bytes(view.dtype, config.head_dim)};
    };
    backend.rms_norm(by_head(q), weights.q_norm, config.norm_eps, by_head(q));
    backend.rms_norm(by_head(k), weights.k_norm, config.norm_eps, by_head(k));
  }
  const size_t window = config.windows[index];
  const ConstView angles = window == 0 ? cos_sin_.view(rows) : local_cos_sin_.view(rows);
  backend.rope(q, config.head_dim, angles, config.arch->rope);
  backend.rope(k, config.head_dim, angles, config.arch->rope);
  batch.tail->append(index, k, v);

  const ScoreRequest* score = batch.score ? batch.score(index) : nullptr;
  if (rows_out == 0 && score == nullptr) return;
  const size_t first = score != nullptr ? 0 : rows - rows_out;  // scoring needs every query of the batch
  segments_.clear();
  if (batch.past) batch.past(index, segments_);
  segments_.push_back(batch.tail->segment(index));
  backend.attend({.q = rows_of(q, first, rows - first),
                  .first_position = first_position_ + first,
                  .kv_heads = config.kv_heads,
                  .head_dim = config.head_dim,
                  .scale = config.attention_scale,
                  .window = window,
                  .segments = segments_,
                  .out = rows_of(attended_.view(rows), first, rows - first),
                  .score = score});
  if (rows_out == 0) return;
  const ConstView attended = rows_of(ConstView(attended_.view(rows)), rows - rows_out, rows_out);
  const View out = rows_of(x, rows - rows_out, rows_out), normed_out = rows_of(normed, rows - rows_out, rows_out);
  if (weights.post_attention_norm == nullptr) {
    backend.linear(attended, std::array{LinearPart{weights.o, nullptr, out, true}});
  } else {
    backend.linear(attended, std::array{LinearPart{weights.o, nullptr, normed_out, false}});
    backend.rms_norm(normed_out, weights.post_attention_norm, config.norm_eps, normed_out);
    backend.add(out, normed_out);
  }
}

void Forward::feed_forward(size_t index, size_t first, size_t rows) {
  Backend& backend = model_->backend();
  const ModelConfig& config = model_->config();
  const LayerWeights& weights = model_->weights().layers[index];
  const View x = rows_of(x_.view(), first, rows), normed = normed_.view(rows), gate = gate_.view(rows),
             up = up_.view(rows);

  backend.rms_norm(x, weights.feed_forward_norm, config.norm_eps, normed);
  backend.linear(
      normed, std::array{LinearPart{weights.gate, nullptr, gate, false}, LinearPart{weights.up, nullptr, up, false}});
  backend.gated_activation(gate, up, config.arch->activation);
  if (weights.post_feed_forward_norm == nullptr) {
    backend.linear(gate, std::array{LinearPart{weights.down, nullptr, x, true}});
  } else {
    backend.linear(gate, std::array{LinearPart{weights.down, nullptr, normed, false}});
    backend.rms_norm(normed, weights.post_feed_forward_norm, config.norm_eps, normed);
    backend.add(x, normed);
  }
}

std::span<const float> Forward::logits(size_t first, size_t rows) {
  if (rows == 0) return {};
  Backend& backend = model_->backend();
  const ModelConfig& config = model_->config();
  if (logits_.view().rows < rows) logits_ = Tensor(backend, DType::f32, rows, config.vocab);
  const View out = logits_.view(rows), normed = normed_.view(rows);
  backend.rms_norm(rows_of(x_.view(), first, rows), model_->weights().output_norm, config.norm_eps, normed);
  backend.linear(normed, std::array{LinearPart{model_->weights().output, nullptr, out, false}});
  host_logits_.resize(rows * config.vocab);
  backend.download(host_logits_.data(), out.data, host_logits_.size() * sizeof(float));
  return host_logits_;
}

void Forward::prepare(size_t rows) {
  ensure(rows);
  const auto upload = [&](const Rope& rope, const Tensor& table) {
    host_angles_.resize(rows * table.view().cols);
    fill_cos_sin(rope, first_position_, rows, host_angles_.data());
    model_->backend().upload(table.view().data, host_angles_.data(), host_angles_.size() * sizeof(float));
  };
  upload(rope_, cos_sin_);
  if (!local_rope_.frequencies.empty()) upload(local_rope_, local_cos_sin_);
}

void Forward::ensure(size_t rows) {
  if (rows <= capacity_) return;
  const ModelConfig& config = model_->config();
  const auto matrix = [&](size_t cols) { return Tensor(model_->backend(), DType::f32, rows, cols); };
  x_ = matrix(config.hidden);
  normed_ = matrix(config.hidden);
  q_ = matrix(config.heads * config.head_dim);
  k_ = matrix(config.kv_heads * config.head_dim);
  v_ = matrix(config.kv_heads * config.head_dim);
  attended_ = matrix(config.heads * config.head_dim);
  gate_ = matrix(config.feed_forward);
  up_ = matrix(config.feed_forward);
  cos_sin_ = matrix(config.rope.dims);
  if (!local_rope_.frequencies.empty()) local_cos_sin_ = matrix(config.local_rope.dims);
  capacity_ = rows;
}

}  // namespace kvzip
