// Gates: maps from what enters a layer's attention to the logarithm of each pair's score, so that scores fall out of
// the reading itself (kvzip learn makes them, others are published, learn/gate_file.h reads both). Immutable; one
// thread at a time.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "kvzip/cache/scores.h"
#include "kvzip/model/forward.h"
#include "kvzip/model/model.h"
#include "kvzip/stages/gate_map.h"
#include "kvzip/stages/gate_weights.h"
#include "kvzip/stages/prefill.h"

namespace kvzip {

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
  Gate(const Model& model, const AnyGateWeights& weights);

  Backend& backend() const { return *backend_; }
  /// The model's layers that it looks at, one per scored set of keys and values.
  std::span<const size_t> layers() const { return layers_; }
  size_t kv_heads() const { return kv_heads_; }
  /// out = log scores, `[rows, kv_heads]` f32, of what enters the scored layer number `scored`.
  void apply(size_t scored, const ConstView& hidden, GateRoom& room, const View& out) const;

 private:
  Backend* backend_;
  std::vector<size_t> layers_;
  std::vector<AttentionNorm> norms_;  // per scored layer
  GateMaps maps_;                     // the same
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
  Scores take() const { return download()(); }
  /// The same as LogScores::download().
  ScoresFn download() const;

 private:
  void see(const LayerInput& input);

  const Gate* gate_;
  size_t first_, len_;
  Tensor logs_;  // [scored layers * len, kv_heads]
  GateRoom room_;
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
