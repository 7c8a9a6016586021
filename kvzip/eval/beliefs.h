// What a memory thinks of an answer that the full memory gave: probabilities compared token by token, which tells
// memories apart long before their answers differ. Pure functions.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "kvzip/text/tokenizer.h"

namespace kvzip {

/// Of each token of an answer, given the question and the answer's tokens before it.
struct Beliefs {
  std::vector<float> p_answer;  ///< its probability
  std::vector<float> margin;    ///< between the two likeliest tokens' probabilities
  std::vector<TokenId> top;     ///< the likeliest token
};

/// From the logits `[answer, vocab]` that predict each token of `answer`; at temperature 1. Equal logits rank by id.
Beliefs beliefs_of(std::span<const float> logits, std::span<const TokenId> answer);

/// One memory beside the full one.
struct BeliefComparison {
  double mean_p_answer = 0;   ///< 0 for an empty answer
  double mean_log_p = 0;      ///< of the answer's tokens, natural logarithm
  double min_margin = 0;      ///< where it is small, a rounding error may choose another token
  std::vector<size_t> flips;  ///< positions whose likeliest token isn't the full memory's
};
BeliefComparison compare_beliefs(const Beliefs& beliefs, const Beliefs& full);

}  // namespace kvzip
