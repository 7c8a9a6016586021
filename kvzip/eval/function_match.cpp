#include "kvzip/eval/function_match.h"

#include <algorithm>
#include <optional>

#include "kvzip/eval/bleu.h"
#include "kvzip/eval/normalize.h"
#include "kvzip/eval/source_code.h"

namespace kvzip {
namespace {

constexpr double kAlike = 0.8;
constexpr std::string_view kFence = "```";

bool is_ascii_space(char c) { return std::string_view(" \t\n\r\f\v").find(c) != std::string_view::npos; }
bool is_identifier(char c) {
  return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// Where a block's text begins whose fence stands at `at`: behind it come at most the name of a language and white
/// space with a line's end, the last of which belongs to the fence.
std::optional<size_t> block_begin(std::string_view text, size_t at) {
  at += kFence.size();
  while (at < text.size() && is_identifier(text[at])) ++at;
  std::optional<size_t> begin;
  for (; at < text.size() && is_ascii_space(text[at]); ++at) {
    if (text[at] == '\n') begin = at + 1;
  }
  return begin;
}

/// The next fence at the beginning of a line, from `at` on.
size_t next_fence(std::string_view text, size_t at) {
  while ((at = text.find(kFence, at)) != std::string_view::npos && at > 0 && text[at - 1] != '\n') ++at;
  return at;
}

std::vector<std::string_view> code_blocks(std::string_view text) {
  std::vector<std::string_view> blocks;
  size_t at = next_fence(text, 0);
  while (at != std::string_view::npos) {
    const std::optional<size_t> begin = block_begin(text, at);
    const size_t end = begin ? next_fence(text, *begin) : std::string_view::npos;
    if (end != std::string_view::npos) blocks.push_back(text.substr(*begin, end - *begin));
    at = next_fence(text, end == std::string_view::npos ? at + 1 : end + kFence.size());
  }
  return blocks;
}

}  // namespace

std::string answered_function(std::string_view language, std::string_view answer) {
  answer = strip_text(answer);
  const std::vector<std::string_view> blocks = code_blocks(answer);
  for (const std::string_view block : blocks) {
    if (const auto function = first_function(language, block)) return std::string(*function);
  }
  return std::string(blocks.empty() ? answer : blocks.front());
}

FunctionMatch best_match(const CodeFunctions& functions, std::string_view answer) {
  std::string given = answered_function(functions.language, answer);
  if (functions.ignore_comments) given = without_comments(functions.language, given);
  FunctionMatch best;
  for (const CodeFunctions::Function& each : functions.functions) {
    const double similarity = sentence_bleu(given, each.code);
    if (similarity > best.similarity) best = {each.name, similarity};
  }
  return best;
}

bool gives_function(const CodeFunctions& functions, std::string_view name, std::string_view answer) {
  const FunctionMatch best = best_match(functions, answer);
  return best.name == name && best.similarity >= kAlike;
}

}  // namespace kvzip
