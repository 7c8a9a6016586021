// An answer while it is made: chooses tokens, turns them into text, and knows when to end. Owns the sampler's state;
// one thread at a time.
#pragma once

#include <chrono>
#include <optional>

#include "kvzip/stages/answer.h"
#include "kvzip/text/incremental_decoder.h"

namespace kvzip {

class AnswerWriter {
 public:
  using Clock = std::chrono::steady_clock;

  /// Writes to `answer`, whose times count from `start`; it, the model and the options must outlive this.
  AnswerWriter(const Model& model, const AnswerOptions& options, Clock::time_point start, Answer& answer);

  /// True where choosing needs no more than the likeliest token.
  bool is_greedy() const { return sampler_.is_greedy(); }
  /// The next token by the logits after the last one, `[vocab]`.
  TokenId choose(std::span<const float> logits);
  /// The same by logits on the device, `[1, vocab]`, of which no more comes to the host than the choice needs.
  TokenId choose_on_device(ConstView logits);
  /// The same for a greedy choice, from what Forward::likeliest() found. Throws Error{input} where that is nothing.
  TokenId choose_likeliest(size_t place) const;
  /// Adds a token, of which the model has not seen the position `position` yet. False where the answer ends with it.
  bool take(TokenId next, size_t position);
  /// Completes text and times; once, after take() was false.
  void finish();

 private:
  bool emit(const std::string& text);

  const Model* model_;
  const AnswerOptions* options_;
  Clock::time_point start_;
  Answer* answer_;
  Sampler sampler_;
  std::vector<Candidate> candidates_;
  std::vector<float> logits_;
  std::optional<IncrementalDecoder> decoder_;  // a model without a tokenizer answers in ids alone
};

}  // namespace kvzip
