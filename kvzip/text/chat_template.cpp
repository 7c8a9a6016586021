#include "kvzip/text/chat_template.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "kvzip/base/error.h"
#include "kvzip/base/quote.h"

namespace kvzip {

namespace {

// The strings of the original implementation: scores and answers depend on every character of them.
const std::array<ChatTemplate, 5>& templates() {
  static const std::string kChatMlPrefix =
      "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n";
  static const std::string kChatMlPostfix = "<|im_end|>\n<|im_start|>assistant\n";
  static const std::string kChatMlNextTurn = "<|im_end|>\n<|im_start|>user\n";
  static const std::array<ChatTemplate, 5> kTemplates = {{
      {.name = "llama3",
       .prefix = "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nYou are a helpful assistant<|eot_id|>"
                 "<|start_header_id|>user<|end_header_id|>\n\n",
       .postfix = "\n\n<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
       .next_turn = "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n"},
      {.name = "chatml", .prefix = kChatMlPrefix, .postfix = kChatMlPostfix, .next_turn = kChatMlNextTurn},
      {.name = "qwen3",
       .prefix = kChatMlPrefix,
       .postfix = kChatMlPostfix + "<think>\n\n</think>\n\n",
       .next_turn = kChatMlNextTurn},
      {.name = "gemma3",
       .prefix = "<bos><start_of_turn>user\nYou are a helpful assistant.\n\n",
       .postfix = "<end_of_turn>\n<start_of_turn>model\n",
       .next_turn = "<end_of_turn>\n<start_of_turn>user\n"},
      {.name = "plain", .prefix = "<|begin_of_text|>", .postfix = "\n\nAnswer: ", .next_turn = "\n\n"},
  }};
  return kTemplates;
}

bool has_control(const Tokenizer& tokenizer, std::string_view spelling) {
  const auto id = tokenizer.find(spelling);
  return id && tokenizer.piece(*id).empty();
}

}  // namespace

const ChatTemplate& find_template(std::string_view name) {
  const auto found = std::ranges::find(templates(), name, &ChatTemplate::name);
  if (found != templates().end()) return *found;
  std::vector<std::string_view> names;
  for (const ChatTemplate& known : templates()) names.emplace_back(known.name);
  throw Error(ErrorCode::usage,
              fmt::format("template: expected one of {}, found {}", fmt::join(names, ", "), quote(name)));
}

const ChatTemplate& guess_template(const Tokenizer& tokenizer, std::string_view architecture) {
  if (has_control(tokenizer, "<|start_header_id|>")) return find_template("llama3");
  if (has_control(tokenizer, "<|im_start|>")) return find_template(architecture == "qwen3" ? "qwen3" : "chatml");
  if (has_control(tokenizer, "<start_of_turn>")) return find_template("gemma3");
  return find_template("plain");
}

std::vector<TokenId> stop_tokens(const Tokenizer& tokenizer) {
  std::vector<TokenId> ids;
  for (const std::string_view spelling :
       {"<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end_of_text|>", "<end_of_turn>", "<eos>", "</s>"}) {
    if (has_control(tokenizer, spelling)) ids.push_back(*tokenizer.find(spelling));
  }
  return ids;
}

}  // namespace kvzip
