// What one call of encode() works with. Belongs to that call.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "kvzip/text/merge_symbols.h"
#include "kvzip/text/word_cache.h"

namespace kvzip {

struct EncodeWork {
  explicit EncodeWork(size_t text_bytes) : cache(text_bytes) {}
  std::vector<TokenId> ids;       ///< the result, which only grows
  std::deque<std::string> texts;  ///< changed text that words of the cache view
  WordCache cache;
  SymbolList symbols;
  std::string scratch;
};

}  // namespace kvzip
