// Answering: a conversation over a memory that doesn't change. What is said lives in a tail of its own and goes with
// it.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "kvzip/model/forward.h"
#include "kvzip/model/sampler.h"
#include "kvzip/stages/compress.h"

namespace kvzip {

struct AnswerOptions {
  SamplerOptions sampling{};
  size_t max_tokens = 256;
  /// Gets the text as it is made, whole UTF-8 characters only. Returning false ends the answer there.
  std::function<bool(std::string_view text)> on_text{};
};

enum class StopReason : uint8_t { stop_token, max_tokens, context_full, caller };

struct Answer {
  std::string text;
  std::vector<TokenId> ids;  ///< without the stop token
  StopReason reason = StopReason::stop_token;
  size_t question_tokens = 0;
  double first_token_seconds = 0;  ///< from the question to its answer's first token
  double decode_seconds = 0;       ///< for the tokens after the first
  /// Tokens per second after the first one; 0 where there is none.
  double tokens_per_second() const;
};

class Conversation {
 public:
  /// Over `past`, whose last row stands at first_position - 1. `model` and what `past` refers to must outlive it. What
  /// is said is held as tail_type(kv_type).
  Conversation(const Model& model, PastFn past, size_t first_position, DType kv_type);

  /// Answers the next question. After an exception the conversation is as it was before the question.
  Answer ask(std::string_view question, const AnswerOptions& options = {});
  /// Goes on after `ids` as they are, without a template.
  Answer continue_ids(std::vector<TokenId> ids, const AnswerOptions& options = {});
  /// Forgets everything said so far.
  void reset();
  /// Forgets all but the first `tokens` tokens that were said. Returns how many it still knows: none where fewer were
  /// said, or where a sliding window has dropped some that the next one would see.
  size_t rewind(size_t tokens);
  /// Logits after each of `ids`, `[ids, vocab]`, as the next thing said.
  std::vector<float> logits(std::span<const TokenId> ids);
  /// Bytes of keys and values of what was said.
  size_t bytes() const { return tail_.bytes(); }

 private:
  void generate(std::span<const float> logits, const AnswerOptions& options,
                std::chrono::steady_clock::time_point start, Answer& answer);

  const Model* model_;
  PastFn past_;
  size_t first_position_;
  Tail tail_;
  Forward forward_;
  std::vector<TokenId> pending_;  // said, but not yet run: the last token of an answer
  bool started_ = false;
};

/// Throws Error{input} naming the question where `tokens` from `position` on leave no room for an answer in the model's
/// context.
void require_room(const Model& model, size_t position, size_t tokens);

/// One question over a context at a cut; nothing of it remains.
Answer answer(const Model& model, const ContextCut& cut, std::string_view question, const AnswerOptions& options = {});
/// The same with all rows that the context holds.
Answer answer(const Model& model, const Context& context, std::string_view question, const AnswerOptions& options = {});
/// The same over the whole document, before compression.
Answer answer(const Model& model, const Reading& reading, std::string_view question, const AnswerOptions& options = {});

}  // namespace kvzip
