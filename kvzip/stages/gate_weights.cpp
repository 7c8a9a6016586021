#include "kvzip/stages/gate_weights.h"

#include <algorithm>

namespace kvzip {
namespace {

bool is_shape(const GateProduct& product, size_t out, size_t in, bool bias) {
  return product.out == out && product.in == in && product.weights.size() == out * in &&
         product.bias.size() == (bias ? out : 0);
}

}  // namespace

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

bool GateWeights::fits(const Model& model) const {
  return layers == gate_layers(model).size() && kv_heads == model.config().kv_heads &&
         hidden == model.config().hidden && weights.size() == layers * kv_heads * hidden &&
         bias.size() == layers * kv_heads;
}

bool MlpGateWeights::fits(const Model& model) const {
  const ModelConfig& config = model.config();
  return layers.size() == gate_layers(model).size() && std::ranges::all_of(layers, [&](const Layer& layer) {
           const size_t width = layer.first.out;
           return width > 0 && is_shape(layer.first, width, config.hidden, true) &&
                  is_shape(layer.second, config.kv_heads, width, true);
         });
}

bool SinkGateWeights::fits(const Model& model) const {
  const ModelConfig& config = model.config();
  const size_t heads = config.kv_heads;
  return dim > 0 && group > 0 && sinks > 0 && layers.size() == gate_layers(model).size() &&
         std::ranges::all_of(layers, [&](const Layer& layer) {
           return is_shape(layer.queries, heads * group * dim, config.hidden, true) &&
                  is_shape(layer.keys, heads * dim, config.hidden, false) && layer.q_norm.size() == dim &&
                  layer.k_norm.size() == dim && layer.sinks.size() == heads * sinks * dim &&
                  layer.offsets.size() == heads * group;
         });
}

bool fits(const AnyGateWeights& weights, const Model& model) {
  return std::visit([&](const auto& each) { return each.fits(model); }, weights);
}

}  // namespace kvzip
