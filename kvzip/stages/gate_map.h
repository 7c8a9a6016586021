// The map of one scored layer of a gate, with its weights on a device: from what enters the attention to log scores.
// One file for each kind. Immutable; one thread at a time, as its backend.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "kvzip/backend/backend.h"
#include "kvzip/stages/gate_weights.h"

namespace kvzip {

/// What maps need while they run. Grows to the largest batch that it is used for.
struct GateRoom {
  Tensor normed;            ///< for what the norm gives
  Tensor hidden, keys;      ///< for what products give
  std::vector<float> host;  ///< the same on the host
};

/// `[rows, cols]` of `tensor`, which is made anew where it is too small.
View room_for(Tensor& tensor, Backend& backend, DType dtype, size_t rows, size_t cols);

class GateMap {
 public:
  virtual ~GateMap() = default;
  /// out = log scores, `[rows, kv_heads]` f32, of the rows of `in`.
  virtual void apply(Backend& backend, const LinearInput& in, GateRoom& room, const View& out) const = 0;
};

/// A product's weights as the device multiplies by them.
class DeviceProduct {
 public:
  DeviceProduct(Backend& backend, const GateProduct& product);
  LinearPart part(const View& out) const;

 private:
  Tensor weights_, bias_;
};

/// The maps of all scored layers. Throw Error{memory}.
using GateMaps = std::vector<std::unique_ptr<const GateMap>>;
GateMaps make_gate_maps(Backend& backend, const GateWeights& weights);
GateMaps make_gate_maps(Backend& backend, const MlpGateWeights& weights);
GateMaps make_gate_maps(Backend& backend, const SinkGateWeights& weights);

}  // namespace kvzip
