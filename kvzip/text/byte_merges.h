// Byte pair encoding of the bytes of one word: the tokens of single bytes and the merges. Immutable once filled; safe
// from any number of threads.
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "kvzip/text/merge_symbols.h"
#include "kvzip/text/token_index.h"

namespace kvzip {

class ByteMerges {
 public:
  using ByteTokens = std::array<TokenId, 256>;  ///< by byte; -1: the vocabulary has none

  /// Bytes without a token become `unknown`, and are left out where that is -1.
  ByteMerges(const ByteTokens& byte_tokens, TokenId unknown, MergeIndex merges)
      : byte_tokens_(byte_tokens), unknown_(unknown), merges_(std::move(merges)) {}

  void encode(std::string_view word, SymbolList& symbols, std::vector<TokenId>& ids) const {
    symbols.start(word.size());
    for (size_t i = 0; i < word.size(); ++i) {
      const TokenId id = token_of(word[i]);
      if (id >= 0) symbols.append(i, id);
    }
    symbols.merge_all([&](size_t left, size_t right) { return merges_.find(symbols[left].id, symbols[right].id); });
    symbols.for_each([&](const Symbol& symbol, size_t) { ids.push_back(symbol.id); });
  }

  void append_byte(char byte, std::vector<TokenId>& ids) const {
    const TokenId id = token_of(byte);
    if (id >= 0) ids.push_back(id);
  }

 private:
  TokenId token_of(char byte) const {
    const TokenId id = byte_tokens_[static_cast<uint8_t>(byte)];
    return id >= 0 ? id : unknown_;
  }

  ByteTokens byte_tokens_;
  TokenId unknown_;
  MergeIndex merges_;
};

}  // namespace kvzip
