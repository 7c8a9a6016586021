#include "kvzip/stages/prompt.h"

#include <string>

#include "kvzip/base/error.h"

namespace kvzip {
namespace {

std::string_view strip(std::string_view text) {
  constexpr std::string_view kSpaces = " \t\r\n\f\v";
  const size_t first = text.find_first_not_of(kSpaces);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpaces) - first + 1);
}

/// What the template begins with. The plain one begins with a token that many vocabularies don't have; to those it
/// would be text, and their own opening token takes its place.
std::string_view known_prefix(const Model& model) {
  const ChatTemplate& chat = model.chat_template();
  return chat.name == "plain" && !model.tokenizer().find(chat.prefix) ? std::string_view{} : chat.prefix;
}

std::vector<TokenId> turn(const Model& model, std::string_view opening, std::string_view question) {
  const std::string_view words = strip(question);
  if (words.empty()) throw Error(ErrorCode::usage, "question: expected some text, found none");
  std::vector<TokenId> ids = model.tokenizer().encode(std::string(opening) + std::string(words));
  const std::vector<TokenId> postfix = postfix_ids(model);
  ids.insert(ids.end(), postfix.begin(), postfix.end());
  return ids;
}

}  // namespace

std::vector<TokenId> system_ids(const Model& model, std::string_view task_line) {
  const std::string_view prefix = known_prefix(model);
  if (prefix.empty()) return opened_ids(model, task_line);
  return model.tokenizer().encode(std::string(prefix) + std::string(task_line));
}

std::vector<TokenId> postfix_ids(const Model& model) { return model.tokenizer().encode(model.chat_template().postfix); }

std::vector<TokenId> opened_ids(const Model& model, std::string_view text) {
  std::vector<TokenId> ids = model.tokenizer().encode(text);
  const auto opening = model.opening_token();
  if (opening && (ids.empty() || ids.front() != *opening)) ids.insert(ids.begin(), *opening);
  return ids;
}

std::vector<TokenId> question_ids(const Model& model, std::string_view question) {
  return turn(model, "\n\n", question);
}

std::vector<TokenId> next_question_ids(const Model& model, std::string_view question) {
  return turn(model, model.chat_template().next_turn, question);
}

}  // namespace kvzip
