#include "kvzip/stages/answer_writer.h"

#include <algorithm>

namespace kvzip {

AnswerWriter::AnswerWriter(const Model& model, const AnswerOptions& options, Clock::time_point start, Answer& answer)
    : model_(&model), options_(&options), start_(start), answer_(&answer), sampler_(options.sampling) {
  if (model.has_tokenizer()) decoder_.emplace(model.tokenizer());
}

TokenId AnswerWriter::choose(std::span<const float> logits) {
  return sampler_.sample(logits.first(model_->spelled_tokens()), answer_->ids);
}

TokenId AnswerWriter::choose_on_device(ConstView logits) {
  Backend& backend = model_->backend();
  logits.cols = model_->spelled_tokens();
  if (is_greedy()) {
    size_t place = 0;
    backend.likeliest(logits, {&place, 1});
    return choose_likeliest(place);
  }
  const size_t needed = sampler_.candidates_needed(answer_->ids);
  if (needed > 0 && backend.find_candidates(logits, needed, candidates_)) {
    return sampler_.sample(candidates_, answer_->ids);
  }
  logits_.resize(logits.cols);
  backend.download(logits_.data(), logits.data, logits_.size() * sizeof(float));
  return sampler_.sample(logits_, answer_->ids);
}

TokenId AnswerWriter::choose_likeliest(size_t place) const {
  if (place >= model_->spelled_tokens()) fail_without_candidates();
  return static_cast<TokenId>(place);
}

bool AnswerWriter::take(TokenId next, size_t position) {
  const auto end = [this](StopReason reason) {
    answer_->reason = reason;
    return false;
  };
  if (answer_->ids.empty()) answer_->first_token_seconds = std::chrono::duration<double>(Clock::now() - start_).count();
  if (std::ranges::find(model_->stop_tokens(), next) != model_->stop_tokens().end()) return end(StopReason::stop_token);
  answer_->ids.push_back(next);
  if (!emit(decoder_ ? decoder_->push(next) : "")) return end(StopReason::caller);
  if (position + 1 >= model_->config().context_length) return end(StopReason::context_full);
  return answer_->ids.size() < options_->max_tokens || end(StopReason::max_tokens);
}

void AnswerWriter::finish() {
  emit(decoder_ ? decoder_->flush() : "");
  answer_->decode_seconds = std::chrono::duration<double>(Clock::now() - start_).count() - answer_->first_token_seconds;
}

bool AnswerWriter::emit(const std::string& text) {
  answer_->text += text;
  return text.empty() || !options_->on_text || options_->on_text(text);
}

}  // namespace kvzip
