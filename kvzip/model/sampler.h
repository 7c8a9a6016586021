// Choice of the next token from a model's logits. A Sampler owns its random state: one per conversation, one thread at
// a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include "kvzip/backend/backend.h"
#include "kvzip/text/tokenizer.h"

namespace kvzip {

struct SamplerOptions {
  float temperature = 0;      ///< 0 = always the likeliest token
  size_t top_k = 0;           ///< choose among the k likeliest; 0 = off
  float top_p = 1;            ///< among the fewest likeliest whose probabilities reach this sum; (0, 1], 1 = off
  float min_p = 0;            ///< among those at least this fraction as likely as the likeliest; [0, 1], 0 = off
  float repeat_penalty = 1;   ///< divides positive and multiplies negative logits of recent tokens; > 0, 1 = off
  size_t repeat_last_n = 64;  ///< how many recent tokens that concerns
  uint64_t seed = 0;
};

/// Throws the Error{input} of logits none of which is a number above -inf.
[[noreturn]] void fail_without_candidates();

/// The order is: repetition penalty, top-k, top-p, min-p, temperature, draw (llama.cpp's; the filters see probabilities
/// at temperature 1). Equal logits rank by id, lowest first. NaN counts as impossible and +inf as the largest float.
/// The same options, logits and seed give the same tokens on every platform: the generator is fixed and the draw walks
/// ids upwards.
class Sampler {
 public:
  /// Throws Error{usage} naming the option that is out of range.
  explicit Sampler(const SamplerOptions& options);

  /// Logits `[vocab]` and the tokens so far, of which the last repeat_last_n count. Throws Error{input} where no logit
  /// is a number above -inf, which only corrupt weights give. Takes time linear in the vocabulary.
  TokenId sample(std::span<const float> logits, std::span<const TokenId> recent);
  /// How many of the largest logits settle the choice after `recent`; 0 = it takes all of them.
  size_t candidates_needed(std::span<const TokenId> recent) const;
  /// The same choice as from all logits, from what Backend::find_candidates() finds for candidates_needed(recent).
  TokenId sample(std::span<const Candidate> candidates, std::span<const TokenId> recent);
  /// True where every choice is the first of the largest logits, whatever came before.
  bool is_greedy() const { return options_.temperature == 0 && options_.repeat_penalty == 1; }

 private:
  TokenId choose(std::span<const TokenId> recent);
  void penalise(std::span<const TokenId> recent);
  void keep_from(size_t last);
  void apply_top_k();
  void apply_top_p();
  void apply_min_p();
  TokenId draw();

  SamplerOptions options_;
  std::mt19937_64 random_;
  std::vector<Candidate> candidates_;  // by id, ascending
  std::vector<Candidate> ranking_;     // scratch copy that selection may reorder
};

}  // namespace kvzip
