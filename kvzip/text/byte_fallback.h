// What becomes of text that the vocabulary has no token for: the tokens of its bytes, else the unknown token, else
// nothing. Immutable once filled; safe from any number of threads.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "kvzip/text/tokenizer.h"

namespace kvzip {

/// The byte that a byte token such as <0x0A> stands for.
std::optional<uint8_t> parse_byte_token(std::string_view spelling);

class ByteFallback {
 public:
  explicit ByteFallback(TokenId unknown = -1) : unknown_(unknown) { byte_tokens_.fill(-1); }

  /// Where a byte has two tokens the first one counts.
  void add(uint8_t byte, TokenId id) {
    if (byte_tokens_[byte] < 0) byte_tokens_[byte] = id;
  }
  TokenId unknown() const { return unknown_; }  ///< -1: there is none

  void append(std::string_view text, std::vector<TokenId>& ids) const;

 private:
  TokenId unknown_;
  std::array<TokenId, 256> byte_tokens_{};  ///< -1: the vocabulary has none
};

}  // namespace kvzip
