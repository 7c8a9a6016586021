#include "kvzip/model/forward.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "kvzip/base/check.h"

namespace kvzip {
namespace {

/// A matrix of activations that shares memory with others.
struct Part {
  View* view;
  size_t cols;
};

/// Places matrices one behind the other; returns the bytes that they take.
size_t lay_out(std::span<const Part> parts, DType dtype, size_t rows, void* memory) {
  constexpr size_t kAlignment = 256;
  size_t bytes = 0;
  for (const Part& part : parts) {
    const size_t stride = row_bytes(dtype, part.cols);
    *part.view = {static_cast<std::byte*>(memory) + (memory == nullptr ? 0 : bytes), dtype, rows, part.cols, stride};
    bytes += (rows * stride + kAlignment - 1) / kAlignment * kAlignment;
  }
  return bytes;
}

}  // namespace

Forward::Forward(const Model& model) : model_(&model) {
  const Arch& arch = *model.config().arch;
  if (!arch.learned_positions) rope_ = make_rope(model.config().rope);
  if (model.config().local_rope) local_rope_ = make_rope(*model.config().local_rope);
}

template <class Finish>
auto Forward::run(const Batch& batch, const Finish& finish) {
  begin(batch);
  const size_t with_logits = batch.logits == Logits::all ? rows_ : batch.logits == Logits::last ? 1 : 0;
  try {
    prepare();
    embed(batch);
    if (!replay(batch)) layers(batch, with_logits);
    return finish(with_logits);
  } catch (...) {
    for (size_t i = 0; i < tails_.size(); ++i) tails_[i]->truncate(tail_ends_[i]);
    throw;
  }
}

// After the last layer's keys are stored, only rows that get logits are still needed; after the last own keys are
// stored and the shared ones made, only those and the ones that score or are observed.
void Forward::layers(const Batch& batch, size_t with_logits) {
  const ModelConfig& config = model_->config();
  const size_t late_rows = batch.score || batch.observe ? rows_ : with_logits;
  const size_t layers = late_rows > 0 ? config.layers : config.own_kv_layers;
  for (size_t index = 0; index < layers; ++index) {
    const size_t in = index < config.own_kv_layers ? rows_ : late_rows;
    layer(batch, index, in, index + 1 < config.layers ? in : with_logits);
    if (index + 1 == config.own_kv_layers) make_shared_kv();
    if (batch.on_layer) batch.on_layer(index + 1, layers);
  }
}

std::span<const float> Forward::run(const Batch& batch) {
  return run(batch, [this](size_t rows) -> std::span<const float> {
    if (rows == 0) return {};
    const View logits = logits_on_device(rows);
    host_logits_.resize(rows * logits.cols);
    model_->backend().download(host_logits_.data(), logits.data, host_logits_.size() * sizeof(float));
    return host_logits_;
  });
}

View Forward::run_on_device(const Batch& batch) {
  return run(batch, [this](size_t rows) { return rows == 0 ? View{} : logits_on_device(rows); });
}

std::span<const size_t> Forward::likeliest(const Batch& batch, size_t tokens) {
  return run(batch, [&](size_t rows) -> std::span<const size_t> {
    likeliest_.resize(rows);
    if (rows == 0) return {};
    View logits = logits_on_device(rows);
    logits.cols = tokens;
    model_->backend().likeliest(logits, likeliest_);
    return likeliest_;
  });
}

ConstView Forward::hidden(const Batch& batch) {
  return run(batch, [this](size_t rows) -> ConstView { return last(x_, rows); });
}

void Forward::begin(const Batch& batch) {
  rows_ = batch.tokens.size();
  tails_ = batch.tails.empty() ? std::span(&batch.tail, 1) : batch.tails;
  check(rows_ > 0, "a batch has tokens");
  check(batch.tails.empty() || (tails_.size() == rows_ && !batch.score), "a tail for each token, and no scores");
  tail_ends_.clear();
  for (const Tail* tail : tails_) tail_ends_.push_back(tail->end_position());
  first_position_ = tail_ends_.front();
}

void Forward::embed(const Batch& batch) {
  Backend& backend = model_->backend();
  const Weights& weights = model_->weights();
  const ModelConfig& config = model_->config();
  const float scale = config.arch->scale_embedding ? std::sqrt(static_cast<float>(config.hidden)) : 1.0F;
  backend.embed(batch.tokens, weights.embedding, scale, x_.view(rows_));
  if (!config.arch->learned_positions) return;
  if (config.token_types > 0) {
    token_types_.assign(batch.token_types.begin(), batch.token_types.end());
    token_types_.resize(rows_);
    add_embedding(token_types_, weights.token_types);
  }
  positions_.resize(rows_);
  if (tails_.size() == 1) {
    std::iota(positions_.begin(), positions_.end(), static_cast<int32_t>(first_position_));
  } else {
    std::ranges::transform(tail_ends_, positions_.begin(), [](size_t end) { return static_cast<int32_t>(end); });
  }
  const auto last_position = static_cast<size_t>(*std::ranges::max_element(positions_));
  if (last_position >= weights.positions.rows) {
    throw Error(ErrorCode::input, fmt::format("context: expected at most the {} positions that the model has learned, "
                                              "found {} tokens",
                                              weights.positions.rows, last_position + 1));
  }
  add_embedding(positions_, weights.positions);
  norm_sum(x_.view(rows_), weights.embedding_norm);
}

void Forward::add_embedding(std::span<const int32_t> ids, const ConstView& table) {
  model_->backend().embed(ids, table, 1.0F, normed_.view(rows_));
  model_->backend().add(x_.view(rows_), normed_.view(rows_));
}

void Forward::layer(const Batch& batch, size_t index, size_t in, size_t out) {
  project(index, in);
  if (batch.observe) batch.observe({index, first_position_ + rows_ - in, last(x_, in), last(q_, in)});
  attend(batch, index, in, out);
  if (out > 0) feed_forward(index, out);
}

void Forward::feed_forward(size_t index, size_t rows) {
  Backend& backend = model_->backend();
  const Arch& arch = *model_->config().arch;
  const LayerWeights& weights = model_->weights().layers[index];
  const View gate = rows_of(gate_, 0, rows), up = rows_of(up_, 0, rows);

  const LinearInput in = normed_input(last(x_, rows), weights.feed_forward_norm);
  if (arch.gated) {
    backend.gated_linear(in, {weights.gate, weights.gate_bias, gate, false}, {weights.up, weights.up_bias, up, false},
                         model_->config().activation);
  } else {
    backend.linear(in, std::array{LinearPart{weights.up, weights.up_bias, gate, false}});
    backend.activate(gate, model_->config().activation);
  }
  add_product(gate, weights.down, weights.down_bias, weights.post_feed_forward_norm);
  norm_sum(last(x_, rows), weights.feed_forward_norm);
}

// Adds in * weight^T to the last rows of the residual stream, after a norm where there is one. Where several devices
// share the model, each has a part of the sum: one of them adds its part to the stream, and what all have together is
// the new one.
void Forward::add_product(const ConstView& in, const ConstView& weight, const float* bias, const float* norm) {
  Backend& backend = model_->backend();
  Group* const group = model_->group();
  const View x = last(x_, in.rows), normed = normed_.view(in.rows);
  const View out = norm == nullptr ? x : normed;
  const bool adds = norm == nullptr && (group == nullptr || group->rank() == 0);
  backend.linear(in, std::array{LinearPart{weight, bias, out, adds}});
  if (group != nullptr) group->all_reduce(out);
  if (norm == nullptr) return;
  backend.rms_norm(normed, norm, model_->config().norm_eps, normed);
  backend.add(x, normed);
}

// A LayerNorm is done at once, an RMS norm is left to the products. Sums that are normed already only need the type
// that the device multiplies.
LinearInput Forward::normed_input(const ConstView& x, const NormWeights& weights) {
  Backend& backend = model_->backend();
  const Arch& arch = *model_->config().arch;
  const float eps = model_->config().norm_eps;
  const View room = normed_.view(x.rows);
  if (arch.post_norm && room.dtype == x.dtype) return x;
  if (arch.post_norm) {
    backend.convert(x, room);
  } else if (arch.layer_norm) {
    backend.layer_norm(x, weights.weight, weights.bias, eps, room);
  } else {
    return {x, weights.weight, eps, room};
  }
  return room;
}

// With post_norm: the norm of a residual sum takes its place.
void Forward::norm_sum(const View& x, const NormWeights& weights) {
  if (!model_->config().arch->post_norm) return;
  model_->backend().layer_norm(x, weights.weight, weights.bias, model_->config().norm_eps, x);
}

View Forward::logits_on_device(size_t rows) {
  Backend& backend = model_->backend();
  const Weights& weights = model_->weights();
  const size_t vocab = model_->config().vocab, part = weights.output.rows;
  if (logits_.view().rows < rows) logits_ = Tensor(backend, DType::f32, rows, vocab);
  const View out = logits_.view(rows);
  const LinearInput in = normed_input(last(x_, rows), weights.output_norm);
  if (part == vocab) {
    backend.linear(in, std::array{LinearPart{weights.output, nullptr, out, false}});
    return out;
  }
  // Every device has a stretch of the vocabulary: [ranks, rows, part], which for one row is [rows, vocab] already.
  Group& group = *model_->group();
  const Tensor apart = rows == 1 ? Tensor() : Tensor(backend, DType::f32, group.size() * rows, part);
  const View parts =
      rows == 1 ? View{out.data, DType::f32, group.size(), part, row_bytes(DType::f32, part)} : apart.view();
  check(out.data != nullptr && parts.data != nullptr, "there is room for logits");
  const View own = rows_of(parts, group.rank() * rows, rows);
  backend.linear(in, std::array{LinearPart{weights.output, nullptr, own, false}});
  group.all_gather(own.data, parts.data, rows * own.stride);
  for (size_t rank = 0; rows > 1 && rank < group.size(); ++rank) {
    float* const column = static_cast<float*>(out.data) + rank * part;
    backend.convert(rows_of(parts, rank * rows, rows), View{column, DType::f32, rows, part, out.stride});
  }
  return out;
}

void Forward::prepare() {
  ensure(rows_);
  if (tails_.size() == 1) {
    if (angles_rows_ != rows_ || angles_first_ != first_position_) anticipate(first_position_, rows_);
    return;
  }
  angles_rows_ = 0;
  send_angles(rows_, [&](const Rope& rope, size_t cols) {
    for (size_t i = 0; i < rows_; ++i) fill_cos_sin(rope, tail_ends_[i], 1, &host_angles_[i * cols]);
  });
}

void Forward::anticipate(size_t first, size_t rows) {
  if (rows > capacity_) return;
  angles_rows_ = 0;  // whatever becomes of it
  send_angles(rows, [&](const Rope& rope, size_t) { fill_cos_sin(rope, first, rows, host_angles_.data()); });
  angles_first_ = first;
  angles_rows_ = rows;
}

// fill(rope, columns) writes the rows of one table.
template <class Fill>
void Forward::send_angles(size_t rows, const Fill& fill) {
  const auto send = [&](const Rope& rope, const Tensor& table) {
    if (rope.frequencies.empty()) return;
    const size_t cols = table.view().cols;
    host_angles_.resize(rows * cols);
    fill(rope, cols);
    model_->backend().upload(table.view().data, host_angles_.data(), host_angles_.size() * sizeof(float));
  };
  send(rope_, cos_sin_);
  send(local_rope_, local_cos_sin_);
}

void Forward::ensure(size_t rows) {
  if (rows <= capacity_) return;
  const ModelConfig& config = model_->config();
  const DType activations = model_->backend().activation_type();
  const auto matrix = [&](DType type, size_t cols) { return Tensor(model_->backend(), type, rows, cols); };
  capacity_ = 0;
  angles_rows_ = 0;
  x_ = matrix(DType::f32, config.hidden);
  normed_ = matrix(activations, config.hidden);
  const size_t heads = config.heads * config.head_dim, kv_heads = config.kv_heads * config.head_dim;
  const std::array attention{Part{&q_, heads}, Part{&attended_, heads}, Part{&k_, kv_heads}, Part{&v_, kv_heads}};
  const std::array feed_forward{Part{&gate_, config.feed_forward},
                                Part{&up_, config.arch->gated ? config.feed_forward : 0}};
  memory_ = Buffer();  // before there are two
  memory_ = Buffer(model_->backend(), std::max(lay_out(attention, activations, rows, nullptr),
                                               lay_out(feed_forward, activations, rows, nullptr)));
  lay_out(attention, activations, rows, memory_.data());
  lay_out(feed_forward, activations, rows, memory_.data());
  if (!rope_.frequencies.empty()) cos_sin_ = matrix(DType::f32, config.rope.dims);
  if (config.local_rope) local_cos_sin_ = matrix(DType::f32, config.local_rope->dims);
  capacity_ = rows;
}

}  // namespace kvzip
