// Gates of one product, and of two with GELU between them: their products give log scores as they are.
#include <array>

#include "kvzip/stages/gate_map.h"

namespace kvzip {
namespace {

class LinearGateMap final : public GateMap {
 public:
  LinearGateMap(Backend& backend, const GateProduct& product) : product_(backend, product) {}

  void apply(Backend& backend, const LinearInput& in, GateRoom& /*room*/, const View& out) const override {
    backend.linear(in, std::array{product_.part(out)});
  }

 private:
  DeviceProduct product_;
};

class MlpGateMap final : public GateMap {
 public:
  MlpGateMap(Backend& backend, const MlpGateWeights::Layer& layer)
      : width_(layer.first.out), first_(backend, layer.first), second_(backend, layer.second) {}

  void apply(Backend& backend, const LinearInput& in, GateRoom& room, const View& out) const override {
    const View hidden = room_for(room.hidden, backend, backend.activation_type(), in.x.rows, width_);
    backend.linear(in, std::array{first_.part(hidden)});
    backend.activate(hidden, Activation::gelu_erf);
    backend.linear(LinearInput(hidden), std::array{second_.part(out)});
  }

 private:
  size_t width_;
  DeviceProduct first_, second_;
};

}  // namespace

GateMaps make_gate_maps(Backend& backend, const GateWeights& weights) {
  const auto [layers, heads, hidden] = std::array{weights.layers, weights.kv_heads, weights.hidden};
  GateMaps maps;
  for (size_t layer = 0; layer < layers; ++layer) {
    const float* const rows = weights.weights.data() + layer * heads * hidden;
    const float* const bias = weights.bias.data() + layer * heads;
    maps.push_back(std::make_unique<LinearGateMap>(
        backend, GateProduct{heads, hidden, {rows, rows + heads * hidden}, {bias, bias + heads}}));
  }
  return maps;
}

GateMaps make_gate_maps(Backend& backend, const MlpGateWeights& weights) {
  GateMaps maps;
  for (const MlpGateWeights::Layer& layer : weights.layers)
    maps.push_back(std::make_unique<MlpGateMap>(backend, layer));
  return maps;
}

}  // namespace kvzip
