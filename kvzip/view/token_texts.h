// A text cut at the borders of its tokens, for showing. Pure functions.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "kvzip/text/tokenizer.h"

namespace kvzip {

/// One text per token, valid UTF-8: put together, the text that `ids` stand for, control tokens spelled out, with
/// invalid bytes replaced by U+FFFD. A character that several tokens share comes with the last of them, and those
/// before it are empty.
std::vector<std::string> token_texts(const Tokenizer& tokenizer, std::span<const TokenId> ids);

}  // namespace kvzip
