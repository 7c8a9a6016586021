// How well a memory still repeats its document, for lack of questions: the loss over the document's own tokens and the
// distance of its predictions from the full memory's. One thread; uses the model's backend.
#pragma once

#include <span>
#include <vector>

#include "kvzip/base/progress.h"
#include "kvzip/cache/context.h"
#include "kvzip/model/model.h"
#include "kvzip/policy/level.h"

namespace kvzip {

/// sum_i p_i (log p_i - log q_i) of the softmaxes of two rows of logits, in nats; never below 0.
double kl_divergence(std::span<const float> p_logits, std::span<const float> q_logits);

/// Minus the natural logarithm of the probability of `token`.
double token_loss(std::span<const float> logits, TokenId token);

struct Fidelity {
  double ratio = 1;  ///< asked for; the fraction KEPT
  double kept = 1;
  size_t kv_bytes = 0;
  double loss = 0;        ///< mean over the document's tokens while they are repeated, in nats
  double divergence = 0;  ///< mean KL of the full memory's predictions from this one's, in nats
  double same_top = 1;    ///< share of positions with the same likeliest token
};

struct FidelityOptions {
  Level level = Level::pair;
  std::vector<double> ratios;
  size_t chunk_tokens = 256;  ///< the beginning of each repetition that counts: a sample of the document
  ProgressFn progress{};      ///< stage "checking", in tokens
};

/// One entry per ratio, after one for the full memory. `context` holds every row, and `document` is what it was made
/// of.
std::vector<Fidelity> check_fidelity(const Model& model, const Context& context, std::span<const TokenId> document,
                                     const FidelityOptions& options);

/// The smallest ratio whose loss exceeds the full memory's (the first entry) by at most `most` nats; 1 if there is
/// none.
double smallest_ratio_within(std::span<const Fidelity> fidelities, double most);

}  // namespace kvzip
