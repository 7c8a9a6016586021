#include "kvzip/text/byte_fallback.h"

#include <algorithm>
#include <iterator>

#include "kvzip/base/parse_number.h"

namespace kvzip {

std::optional<uint8_t> parse_byte_token(std::string_view spelling) {
  const bool framed = spelling.size() == 6 && spelling.starts_with("<0x") && spelling.ends_with('>');
  return framed ? parse_number<uint8_t>(spelling.substr(3, 2), 16) : std::nullopt;
}

void ByteFallback::append(std::string_view text, std::vector<TokenId>& ids) const {
  const auto token_of = [&](char byte) { return byte_tokens_[static_cast<uint8_t>(byte)]; };
  if (std::ranges::all_of(text, [&](char byte) { return token_of(byte) >= 0; })) {
    std::ranges::transform(text, std::back_inserter(ids), token_of);
  } else if (unknown_ >= 0) {
    ids.push_back(unknown_);
  }
}

}  // namespace kvzip
