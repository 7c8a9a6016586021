#include "kvzip/stages/answer.h"

#include <algorithm>

#include "kvzip/base/check.h"
#include "kvzip/model/token_steps.h"
#include "kvzip/stages/answer_writer.h"
#include "kvzip/stages/prompt.h"

namespace kvzip {

void require_room(const Model& model, size_t position, size_t tokens) {
  const size_t context = model.config().context_length;
  if (position + tokens < context) return;
  throw Error(ErrorCode::input, "question: " + std::to_string(tokens) + " tokens; the model's context of " +
                                    std::to_string(context) + " has room for " +
                                    std::to_string(context - std::min(position, context)));
}

double Answer::tokens_per_second() const {
  return ids.size() > 1 && decode_seconds > 0 ? static_cast<double>(ids.size() - 1) / decode_seconds : 0;
}

Conversation::Conversation(const Model& model, PastFn past, size_t first_position, DType kv_type)
    : model_(&model),
      past_(std::move(past)),
      first_position_(first_position),
      tail_(model.backend(), model.cache_shape(tail_type(kv_type)), first_position),
      forward_(model) {
  require_decoder(model.config());
}

void Conversation::reset() {
  tail_ = Tail(model_->backend(), tail_.shape(), first_position_);
  pending_.clear();
  started_ = false;
}

size_t Conversation::rewind(size_t tokens) {
  const size_t end = first_position_ + tokens;
  bool held = end <= tail_.end_position();
  for (size_t layer = 0; layer < tail_.shape().layers(); ++layer)
    held = held && tail_.segment(layer).first_position == first_position_;
  if (!held) {
    reset();
    return 0;
  }
  tail_.truncate(end);
  pending_.clear();
  started_ = tokens > 0;
  return tokens;
}

Answer Conversation::ask(std::string_view question, const AnswerOptions& options) {
  return continue_ids(started_ ? next_question_ids(*model_, question) : question_ids(*model_, question), options);
}

Answer Conversation::continue_ids(std::vector<TokenId> ids, const AnswerOptions& options) {
  const AnswerWriter::Clock::time_point start = AnswerWriter::Clock::now();
  const size_t end_before = tail_.end_position();
  const std::vector<TokenId> pending_before = pending_;
  Answer answer;
  answer.question_tokens = ids.size();
  ids.insert(ids.begin(), pending_.begin(), pending_.end());
  require_room(*model_, end_before, ids.size());
  try {
    const auto logits = run_batches(forward_, ids, model_->backend().preferred_batch(),
                                    Batch{.tail = &tail_, .past = past_, .logits = Logits::last}, {});
    generate(logits, options, start, answer);
  } catch (...) {
    tail_.truncate(end_before);
    pending_ = pending_before;
    throw;
  }
  started_ = true;
  return answer;
}

void Conversation::generate(std::span<const float> logits, const AnswerOptions& options,
                            AnswerWriter::Clock::time_point start, Answer& answer) {
  AnswerWriter writer(*model_, options, start, answer);
  pending_ = {writer.choose(logits)};
  TokenSteps steps(forward_, tail_, past_);
  while (writer.take(pending_[0], tail_.end_position())) {
    pending_ = {writer.choose_on_device(steps.next(pending_[0]))};
  }
  if (answer.reason == StopReason::stop_token) pending_.clear();  // the next turn's opening brings it
  writer.finish();
}

std::vector<float> Conversation::logits(std::span<const TokenId> ids) {
  check(pending_.empty(), "logits() is for a conversation without an unfinished answer");
  const auto result = forward_.run(Batch{.tokens = ids, .tail = &tail_, .past = past_, .logits = Logits::all});
  started_ = true;
  return {result.begin(), result.end()};
}

Answer answer(const Model& model, const ContextCut& cut, std::string_view question, const AnswerOptions& options) {
  return Conversation(model, past_of(cut), cut.context().read_tokens(), cut.context().shape().dtype)
      .ask(question, options);
}

Answer answer(const Model& model, const Context& context, std::string_view question, const AnswerOptions& options) {
  return answer(model, ContextCut(context, context.held()), question, options);
}

Answer answer(const Model& model, const Reading& reading, std::string_view question, const AnswerOptions& options) {
  return Conversation(model, past_of(reading.tail), reading.tail.end_position(), reading.tail.shape().dtype)
      .ask(question, options);
}

}  // namespace kvzip
