#include "kvzip/view/token_texts.h"

#include "kvzip/text/incremental_decoder.h"
#include "kvzip/text/lossy_utf8.h"

namespace kvzip {

std::vector<std::string> token_texts(const Tokenizer& tokenizer, std::span<const TokenId> ids) {
  std::vector<std::string> texts;
  texts.reserve(ids.size());
  IncrementalDecoder decoder(tokenizer);
  for (const TokenId id : ids) {
    texts.push_back(decoder.push(id));
    // Control tokens have no text of their own; here they are part of what was read.
    if (tokenizer.piece(id).empty()) texts.back() += lossy_utf8(tokenizer.spelling(id));
  }
  if (!texts.empty()) texts.back() += decoder.flush();
  return texts;
}

}  // namespace kvzip
