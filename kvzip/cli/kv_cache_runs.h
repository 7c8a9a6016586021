// Measurements of `kvzip bench kv-cache`: the same tokens made with and without keeping keys and values. One thread;
// nothing else should run on the machine.
#pragma once

#include <vector>

#include "kvzip/cli/engine.h"

namespace kvzip::cli {

struct KvCachePlan {
  size_t tokens = 96;          ///< to generate
  size_t prompt_tokens = 512;  ///< of the text that all questions share
  size_t questions = 4;
};

/// Whether two ways to compute the same chose the same tokens. They add numbers in different orders, so that a choice
/// between two that are all but equally likely may fall either way.
struct TokenCheck {
  size_t compared = 0;
  size_t same = 0;
  double largest_gap = 0;  ///< logits between the two choices, where they differ

  void add(std::span<const float> logits, TokenId expected);
};

struct GenerationFigure {
  size_t start_tokens = 0;         ///< that stood before the first one
  std::vector<double> cached;      ///< `[tokens]` seconds until each token was there
  std::vector<double> recomputed;  ///< likewise, where each token takes a pass over all before it
  TokenCheck check;
};

struct PromptFigure {
  size_t prompt_tokens = 0;
  size_t answer_tokens = 0;
  double prompt_seconds = 0;             ///< to read the shared text once
  std::vector<double> cached_first;      ///< `[questions]` seconds from a question to its answer's first token
  std::vector<double> recomputed_first;  ///< likewise, where the shared text is read again for each
  std::vector<double> cached;            ///< `[questions]` seconds until each answer was there, reading included
  std::vector<double> recomputed;        ///< likewise
  TokenCheck check;
};

class KvCacheBench {
 public:
  /// Throws Error{usage} where the model's context is too short for the plan.
  KvCacheBench(const Engine& engine, const KvCachePlan& plan, ProgressBar& bar);

  /// Both throw Error{cancelled}.
  GenerationFigure generation();
  PromptFigure prompts();

 private:
  std::span<const float> run(std::span<const TokenId> ids, Tail& tail, const PastFn& past = {});
  void answer(std::span<const float> logits, Tail& tail, const PastFn& past, std::vector<TokenId>& ids);

  const Model& model_;
  KvCachePlan plan_;
  ProgressBar& bar_;
  Forward forward_;
  std::vector<TokenId> text_;
};

}  // namespace kvzip::cli
