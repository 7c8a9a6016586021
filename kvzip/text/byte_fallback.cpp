#include "kvzip/text/byte_fallback.h"

#include <algorithm>
#include <charconv>
#include <iterator>

namespace kvzip {

std::optional<uint8_t> parse_byte_token(std::string_view spelling) {
  uint8_t byte = 0;
  const bool framed = spelling.size() == 6 && spelling.starts_with("<0x") && spelling.ends_with('>');
  const auto parsed = [&] { return std::from_chars(spelling.data() + 3, spelling.data() + 5, byte, 16); };
  return framed && parsed().ptr == spelling.data() + 5 ? std::optional(byte) : std::nullopt;
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
