// Turns tokens into text one by one, as an answer is generated. Belongs to one thread; the tokenizer must outlive it.
#pragma once

#include <memory>
#include <string>

#include "kvzip/text/lossy_utf8.h"
#include "kvzip/text/tokenizer.h"

namespace kvzip {

/// What push() and flush() return, put together, is Tokenizer::decode() of all tokens with every maximal invalid
/// sequence of bytes replaced by U+FFFD. It is always whole, valid UTF-8.
class IncrementalDecoder {
 public:
  explicit IncrementalDecoder(const Tokenizer& tokenizer) : tokenizer_(tokenizer), stream_(tokenizer.stream()) {}

  /// The text that is certain after this token; a character that tokens share comes out with its last byte.
  std::string push(TokenId id);
  /// The end: an unfinished character becomes U+FFFD. The decoder can be used anew afterwards.
  std::string flush();

 private:
  const Tokenizer& tokenizer_;
  std::unique_ptr<TokenStream> stream_;
  LossyUtf8 repair_;
};

}  // namespace kvzip
