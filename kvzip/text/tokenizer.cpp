#include "kvzip/text/tokenizer.h"

namespace kvzip {

std::string decode_verbatim(const Tokenizer& tokenizer, std::span<const TokenId> ids) {
  std::string text;
  for (size_t at = 0; at < ids.size();) {
    size_t end = at;
    while (end < ids.size() && !tokenizer.piece(ids[end]).empty()) ++end;
    text += tokenizer.decode(ids.subspan(at, end - at));
    if (end < ids.size()) text += tokenizer.spelling(ids[end]);
    at = end + 1;
  }
  return text;
}

}  // namespace kvzip
