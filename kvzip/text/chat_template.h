// How each family of models wraps a document and a question: the text before the document and the text behind a
// question. Stateless.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kvzip/text/tokenizer.h"

namespace kvzip {

struct ChatTemplate {
  std::string name;
  std::string prefix;     ///< the system's turn and the start of the user's; the task line and the document follow
  std::string postfix;    ///< closes the user's turn and opens the assistant's
  std::string next_turn;  ///< closes the assistant's turn and opens the user's next one
};

/// llama3, chatml, qwen3, gemma3 or plain. Throws Error{usage} that lists them for any other name.
const ChatTemplate& find_template(std::string_view name);

/// The template whose special tokens the vocabulary has, else plain. `architecture` tells qwen3 from other users of
/// chatml.
const ChatTemplate& guess_template(const Tokenizer& tokenizer, std::string_view architecture);

/// The control tokens that end an answer in any family we know, as far as the vocabulary has them.
std::vector<TokenId> stop_tokens(const Tokenizer& tokenizer);

}  // namespace kvzip
