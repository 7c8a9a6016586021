#include "kvzip/stages/answer.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include "kvzip/base/check.h"
#include "kvzip/stages/prompt.h"
#include "kvzip/text/incremental_decoder.h"

namespace kvzip {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

}  // namespace

double Answer::tokens_per_second() const {
  return ids.size() > 1 && decode_seconds > 0 ? static_cast<double>(ids.size() - 1) / decode_seconds : 0;
}

Conversation::Conversation(const Model& model, PastFn past, size_t first_position, DType kv_type)
    : model_(&model),
      past_(std::move(past)),
      first_position_(first_position),
      tail_(model.backend(), model.cache_shape(tail_type(kv_type)), first_position),
      forward_(model) {}

void Conversation::reset() {
  tail_ = Tail(model_->backend(), tail_.shape(), first_position_);
  pending_.clear();
  started_ = false;
}

Answer Conversation::ask(std::string_view question, const AnswerOptions& options) {
  return continue_ids(started_ ? next_question_ids(*model_, question) : question_ids(*model_, question), options);
}

Answer Conversation::continue_ids(std::vector<TokenId> ids, const AnswerOptions& options) {
  const Clock::time_point start = Clock::now();
  const size_t end_before = tail_.end_position();
  const std::vector<TokenId> pending_before = pending_;
  Answer answer;
  answer.question_tokens = ids.size();
  ids.insert(ids.begin(), pending_.begin(), pending_.end());
  if (end_before + ids.size() >= model_->config().context_length) {
    throw Error(ErrorCode::input, "question: " + std::to_string(ids.size()) + " tokens; the model's context of " +
                                      std::to_string(model_->config().context_length) + " has room for " +
                                      std::to_string(model_->config().context_length -
                                                     std::min(end_before, model_->config().context_length)));
  }
  try {
    const auto logits =
        run_batches(forward_, ids, kDefaultBatch, Batch{.tail = &tail_, .past = past_, .logits = Logits::last}, {});
    generate(logits, options, start, answer);
  } catch (...) {
    tail_.truncate(end_before);
    pending_ = pending_before;
    throw;
  }
  started_ = true;
  return answer;
}

void Conversation::generate(std::span<const float> logits, const AnswerOptions& options, Clock::time_point start,
                            Answer& answer) {
  Sampler sampler(options.sampling);
  std::optional<IncrementalDecoder> decoder;  // a model without a tokenizer answers in ids alone
  if (model_->has_tokenizer()) decoder.emplace(model_->tokenizer());
  const std::vector<TokenId>& stops = model_->stop_tokens();
  const auto emit = [&](const std::string& text) {
    answer.text += text;
    return text.empty() || !options.on_text || options.on_text(text);
  };
  pending_.clear();
  answer.reason = StopReason::max_tokens;
  while (answer.ids.size() < options.max_tokens) {
    const TokenId next = sampler.sample(logits.first(model_->spelled_tokens()), answer.ids);
    if (answer.ids.empty()) answer.first_token_seconds = seconds_since(start);
    pending_ = {next};
    if (std::find(stops.begin(), stops.end(), next) != stops.end()) {
      pending_.clear();  // the next turn's opening brings it
      answer.reason = StopReason::stop_token;
      break;
    }
    answer.ids.push_back(next);
    if (!emit(decoder ? decoder->push(next) : "")) {
      answer.reason = StopReason::caller;
      break;
    }
    if (tail_.end_position() + 1 >= model_->config().context_length) {
      answer.reason = StopReason::context_full;
      break;
    }
    if (answer.ids.size() == options.max_tokens) break;
    logits = forward_.run(Batch{.tokens = pending_, .tail = &tail_, .past = past_, .logits = Logits::last});
    pending_.clear();
  }
  emit(decoder ? decoder->flush() : "");
  answer.decode_seconds = seconds_since(start) - answer.first_token_seconds;
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
