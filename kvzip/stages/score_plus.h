// KVzip+ (Jegou and Jeblick 2026, "KVzap: Fast, Adaptive, and Faithful KV Cache Pruning"): KVzip's shares of attention,
// weighted by how much of the residual stream a pair's value would change.
#pragma once

#include "kvzip/stages/score.h"

namespace kvzip {

/// As score() with the same inputs and options, but a pair scores
///
///   max over queries j of the repetition and query heads g of the group:  a_gj(i) * |W_O,g v_i| / |x_j|
///
/// with a_gj(i) its share in the softmax over [system | its chunk | the repeat input], W_O,g the columns of the layer's
/// output projection for head g, and x_j the residual stream that enters the layer. Computed on the host in plain
/// loops: for comparison, not for speed. Throws Error{memory}, Error{cancelled}.
Scores score_plus(const Model& model, const Reading& reading, const std::vector<RepeatInput>& inputs,
                  const ScoreOptions& options);
/// The same with the usual repeat inputs.
Scores score_plus(const Model& model, const Reading& reading, const ScoreOptions& options = {});

}  // namespace kvzip
