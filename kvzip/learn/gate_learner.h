// Learns a model's gate (stages/gate.h) from texts that were scored: per scored layer a ridge regression from the
// attention's input to 4 tanh((y - m) / 4), y being the logarithm of the score and m the one that the best 30 % of the
// document exceed: what is far from being in doubt needs no precision, and what all of a document's scores share
// decides nothing. The gate predicts that plus the mean of m. Owns its sums, two squares of the model's width per
// layer; one thread at a time.
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
  double correlation = 0;  ///< of squashed log scores and predictions there, over all layers and heads
  double error = 0;        ///< root of the mean square there, in nats
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
  /// What is learned of a score.
  float squashed(float score) const;

  const Model* model_;
  std::vector<size_t> layers_;
  std::vector<RidgeSums> learned_, held_out_;  // per scored layer
  size_t rows_before_ = 0;                     // of earlier documents
  float middle_ = 0;                           // the document's m
  double middles_ = 0;                         // sum of m over the rows of earlier documents
  Tensor room_;
  std::vector<float> inputs_, logs_;
};

}  // namespace kvzip
