#include "kvzip/stages/gate.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "kvzip/base/check.h"

namespace kvzip {
namespace {

// Far beyond any logarithm of a share; keeps a gate's wildest guess a number.
constexpr float kMostLog = 60;

/// f32 values as the device multiplies by them.
Tensor on_device(Backend& backend, DType type, const float* values, size_t rows, size_t cols) {
  Tensor plain(backend, DType::f32, rows, cols);
  backend.upload(plain.view().data, values, rows * cols * sizeof(float));
  if (type == DType::f32) return plain;
  Tensor converted(backend, type, rows, cols);
  backend.convert(plain.view(), converted.view());
  return converted;
}

}  // namespace

bool GateWeights::fits(const Model& model) const {
  return layers == gate_layers(model).size() && kv_heads == model.config().kv_heads &&
         hidden == model.config().hidden && weights.size() == layers * kv_heads * hidden &&
         bias.size() == layers * kv_heads;
}

std::vector<size_t> gate_layers(const Model& model) {
  const ModelConfig& config = model.config();
  std::vector<size_t> layers;
  for (const size_t kv_layer : model.cache_shape(DType::f16).global_layers()) {
    size_t layer = 0;
    while (config.kv_layer(layer) != kv_layer) ++layer;
    layers.push_back(layer);
  }
  return layers;
}

Gate::Gate(const Model& model, const GateWeights& weights) : model_(&model) {
  check(weights.fits(model), "a gate has the model's shape");
  Backend& backend = model.backend();
  const DType type = backend.weight_type(DType::f32);
  const size_t layer_values = weights.kv_heads * weights.hidden;
  for (size_t layer = 0; layer < weights.layers; ++layer) {
    weights_.push_back(
        on_device(backend, type, weights.weights.data() + layer * layer_values, weights.kv_heads, weights.hidden));
  }
  bias_ = on_device(backend, DType::f32, weights.bias.data(), weights.layers, weights.kv_heads);
}

void Gate::apply(size_t scored, const ConstView& hidden, const View& room, const View& out) const {
  const size_t layer = gate_layers(*model_)[scored];
  const auto* const bias = static_cast<const float*>(rows_of(bias_.view(), scored, 1).data);
  model_->backend().linear(attention_input(*model_, layer, hidden, room),
                           std::array{LinearPart{weights_[scored].view(), bias, out, false}});
}

GateScores::GateScores(const Gate& gate, size_t first, size_t len)
    : gate_(&gate), first_(first), len_(len), layers_(gate_layers(gate.model())) {
  const Model& model = gate.model();
  for (size_t layer = 0; layer < layers_.size(); ++layer)
    logs_.emplace_back(model.backend(), DType::f32, len, model.config().kv_heads);
}

void GateScores::see(const LayerInput& input) {
  const auto found = std::ranges::find(layers_, input.layer);
  const size_t begin = std::max(first_, input.first_position);
  const size_t end = std::min(first_ + len_, input.first_position + input.hidden.rows);
  if (found == layers_.end() || begin >= end) return;
  const auto scored = static_cast<size_t>(found - layers_.begin());
  const Model& model = gate_->model();
  if (room_.view().rows < end - begin)
    room_ = Tensor(model.backend(), model.backend().activation_type(), end - begin, model.config().hidden);
  gate_->apply(scored, rows_of(input.hidden, begin - input.first_position, end - begin), room_.view(end - begin),
               rows_of(logs_[scored].view(), begin - first_, end - begin));
}

Scores GateScores::take() const {
  const Model& model = gate_->model();
  const size_t heads = model.config().kv_heads;
  Scores scores(layers_.size(), heads, len_);
  std::vector<float> logs(len_ * heads);
  for (size_t layer = 0; layer < layers_.size(); ++layer) {
    model.backend().download(logs.data(), logs_[layer].view().data, logs.size() * sizeof(float));
    for (size_t head = 0; head < heads; ++head) {
      const auto row = scores.row(layer, head);
      for (size_t i = 0; i < len_; ++i) {
        const float log = logs[i * heads + head];
        row[i] = std::isfinite(log) ? std::exp(std::clamp(log, -kMostLog, kMostLog)) : 0;
      }
    }
  }
  return scores;
}

void norm_attention_input(const Model& model, size_t layer, const ConstView& hidden, const View& out) {
  const NormWeights& norm = model.weights().layers[layer].attention_norm;
  const float eps = model.config().norm_eps;
  if (model.config().arch->layer_norm) {
    model.backend().layer_norm(hidden, norm.weight, norm.bias, eps, out);
  } else {
    model.backend().rms_norm(hidden, norm.weight, eps, out);
  }
}

LinearInput attention_input(const Model& model, size_t layer, const ConstView& hidden, const View& room) {
  if (!model.config().arch->layer_norm) {
    return {hidden, model.weights().layers[layer].attention_norm.weight, model.config().norm_eps, room};
  }
  norm_attention_input(model, layer, hidden, room);
  return room;
}

}  // namespace kvzip
