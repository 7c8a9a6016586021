#include "kvzip/view/view_question.h"

#include <array>

#include "kvzip/eval/beliefs_about.h"
#include "kvzip/stages/prompt.h"
#include "kvzip/view/token_texts.h"

namespace kvzip {
namespace {

Conversation converse(const Model& model, const ContextCut& cut) {
  return {model, past_of(cut), cut.context().read_tokens(), cut.context().shape().dtype};
}

std::string text_of(const Tokenizer& tokenizer, TokenId id) { return token_texts(tokenizer, std::array{id}).front(); }

}  // namespace

ViewedQuestion view_question(const Model& model, const ContextCut& full, const ContextCut& kept,
                             std::string_view question, const AnswerOptions& options) {
  const Tokenizer& tokenizer = model.tokenizer();
  const std::vector<TokenId> prompt = question_ids(model, question);
  Conversation from_full = converse(model, full);
  Conversation from_kept = converse(model, kept);
  const auto tokens_of = [&](const std::vector<TokenId>& answer) {
    const Beliefs beliefs_full = beliefs_about(from_full, prompt, answer);
    const Beliefs beliefs_kept = beliefs_about(from_kept, prompt, answer);
    const std::vector<std::string> texts = token_texts(tokenizer, answer);
    std::vector<ViewedToken> tokens;
    for (size_t i = 0; i < answer.size(); ++i) {
      tokens.push_back({.text = texts[i],
                        .p_full = beliefs_full.p_answer[i],
                        .p_kept = beliefs_kept.p_answer[i],
                        .top_full = text_of(tokenizer, beliefs_full.top[i]),
                        .top_kept = text_of(tokenizer, beliefs_kept.top[i])});
    }
    return tokens;
  };
  const std::vector<TokenId> full_ids = from_full.ask(question, options).ids;
  const std::vector<TokenId> kept_ids = from_kept.ask(question, options).ids;
  return {std::string(question), tokens_of(full_ids), tokens_of(kept_ids)};
}

}  // namespace kvzip
