// Gates: linear maps from what enters a layer's attention to the logarithm of each pair's score, so that scores fall
// out of the reading itself (kvzip learn makes them, learn/gate_file.h holds them). Immutable; one thread at a time.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "kvzip/cache/scores.h"
#include "kvzip/model/forward.h"
#include "kvzip/model/model.h"
#include "kvzip/stages/prefill.h"

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

/// What a layer does to the residual stream before its products.
struct AttentionNorm {
  NormWeights weights;
  float eps = 0;
  bool layer_norm = false;  ///< else an RMS norm

  /// out = `hidden` after it, `[rows, hidden]` f32 or activations.
  void apply(Backend& backend, const ConstView& hidden, const View& out) const;
};
AttentionNorm attention_norm(const Model& model, size_t layer);

class Gate {
 public:
  /// `weights` must fit the model, whose weights and backend must outlive the gate. Throws Error{memory}.
  Gate(const Model& model, const GateWeights& weights);

  Backend& backend() const { return *backend_; }
  /// The model's layers that it looks at, one per scored set of keys and values.
  std::span<const size_t> layers() const { return layers_; }
  size_t kv_heads() const { return kv_heads_; }
  /// out = log scores, `[rows, kv_heads]` f32, of what enters the scored layer number `scored`. `room` is of the shape
  /// of `hidden`, in activations.
  void apply(size_t scored, const ConstView& hidden, const View& room, const View& out) const;

 private:
  Backend* backend_;
  std::vector<size_t> layers_;
  std::vector<AttentionNorm> norms_;  // per scored layer
  std::vector<Tensor> weights_;
  Tensor bias_;  // [scored layers, kv_heads]
  size_t kv_heads_;
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
  std::vector<Tensor> logs_;  // per scored layer, [len, kv_heads]
  Tensor room_;
};

/// A document with the scores that fell out of its reading.
struct GatedReading {
  Reading reading;
  Scores scores;
};
/// As prefill_ids(), which throws the same.
GatedReading prefill_gated(const Model& model, const Gate& gate, std::vector<TokenId> system,
                           std::vector<TokenId> document, const PrefillOptions& options = {});

}  // namespace kvzip
