// Learns a model's gate (stages/gate.h) from texts that were scored: per scored layer a ridge regression from the
// attention's input to the logarithms of the scores. Owns its sums, two squares of the model's width per layer; one
// thread at a time.
#pragma once

#include <vector>

#include "kvzip/base/progress.h"
#include "kvzip/learn/ridge.h"
#include "kvzip/stages/gate.h"
#include "kvzip/stages/prefill.h"

namespace kvzip {

/// Scores below this are taken to be this: their logarithms say more about rounding than about the pair.
inline constexpr float kLeastScore = 1e-6F;

struct LearnedGate {
  GateWeights weights;
  double lambda = 0;       ///< by which rows that the map had not seen were predicted best
  double correlation = 0;  ///< of log scores and predictions there, over all layers and heads
  double error = 0;        ///< root of the mean square there
  size_t rows = 0;         ///< all that were learned from
};

class GateLearner {
 public:
  /// `model` must outlive it.
  explicit GateLearner(const Model& model);

  /// Adds a document that was read and scored. It is read once more, in batches of `batch` tokens (0 = as the device
  /// prefers), so that only a batch's inputs are held at once. Every tenth stretch of rows is held out. Reports stage
  /// "learning" in tokens. Throws Error{memory}, Error{cancelled}: then the document counts in part.
  void add(const Reading& reading, const Scores& scores, size_t batch, const ProgressFn& progress);

  /// Rows that were added.
  size_t rows() const;
  /// Throws Error{input} where there are too few rows to hold any out.
  LearnedGate solve() const;

 private:
  void see(const LayerInput& input, const Reading& reading, const Scores& scores);

  const Model* model_;
  std::vector<size_t> layers_;
  std::vector<RidgeSums> learned_, held_out_;  // per scored layer
  size_t rows_before_ = 0;                     // of earlier documents
  Tensor room_;
  std::vector<float> inputs_, logs_;
};

}  // namespace kvzip
