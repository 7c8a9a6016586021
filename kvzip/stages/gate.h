// Gates: linear maps from what enters a layer's attention to the logarithm of each pair's score, so that scores fall
// out of the reading itself (kvzip learn makes them, learn/gate_file.h holds them). Immutable; one thread at a time.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "kvzip/cache/scores.h"
#include "kvzip/model/forward.h"
#include "kvzip/model/model.h"

namespace kvzip {

/// log score [layer, head] of a token = weights [layer, head] . x + bias [layer, head], x being the layer's input after
/// its norm; `layers` counts scored ones.
struct GateWeights {
  size_t layers = 0;
  size_t kv_heads = 0;
  size_t hidden = 0;
  std::vector<float> weights;  ///< `[layers, kv_heads, hidden]`
  std::vector<float> bias;     ///< `[layers, kv_heads]`

  bool fits(const Model& model) const;
};

/// The first of the model's layers that uses each scored set of keys and values: the layers that a gate looks at.
std::vector<size_t> gate_layers(const Model& model);

class Gate {
 public:
  /// `weights` must fit the model, which must outlive the gate. Throws Error{memory}.
  Gate(const Model& model, const GateWeights& weights);

  const Model& model() const { return *model_; }
  /// out = log scores, `[rows, kv_heads]` f32, of what enters the scored layer number `scored`. `room` is of the shape
  /// of `hidden`, in activations.
  void apply(size_t scored, const ConstView& hidden, const View& room, const View& out) const;

 private:
  const Model* model_;
  std::vector<Tensor> weights_;  // per scored layer
  Tensor bias_;                  // [scored layers, kv_heads]
};

/// Collects a document's scores while it is read.
class GateScores {
 public:
  /// Of the `len` rows from position `first` on. The gate must outlive it. Throws Error{memory}.
  GateScores(const Gate& gate, size_t first, size_t len);

  /// For Batch::observe; this must outlive the result.
  ObserveFn observe() {
    return [this](const LayerInput& input) { see(input); };
  }
  /// Once all rows were seen.
  Scores take() const;

 private:
  void see(const LayerInput& input);

  const Gate* gate_;
  size_t first_, len_;
  std::vector<size_t> layers_;
  std::vector<Tensor> logs_;  // per scored layer, [len, kv_heads]
  Tensor room_;
};

/// out = `hidden` after the layer's attention norm, `[rows, hidden]` f32 or activations.
void norm_attention_input(const Model& model, size_t layer, const ConstView& hidden, const View& out);
/// What enters a layer's products: `hidden` after the layer's attention norm. A LayerNorm is done at once in `room`, an
/// RMS norm is left to the product.
LinearInput attention_input(const Model& model, size_t layer, const ConstView& hidden, const View& room);

}  // namespace kvzip
