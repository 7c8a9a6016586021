#include "kvzip/text/formats/tiktoken_tokenizer.h"

#include <algorithm>

#include "kvzip/text/split_patterns.h"
#include "kvzip/text/text_cuts.h"
#include "kvzip/text/utf8.h"

namespace kvzip {

TiktokenTokenizer::TiktokenTokenizer(std::vector<std::string> tokens, std::vector<TokenKind> kinds, std::string name,
                                     const std::string& pattern)
    : VocabularyTokenizer(std::move(tokens), std::move(kinds), {}),
      name_(std::move(name)),
      pattern_(pattern),
      known_pattern_(ends_words_at_cuts(pattern)) {
  for (size_t i = 0; i < VocabularyTokenizer::tokens().size(); ++i) {
    const std::string& token = VocabularyTokenizer::tokens()[i];
    const auto id = static_cast<TokenId>(i);
    const bool normal = kind(id) == TokenKind::normal;
    add_piece([&](std::string& out) { out += normal ? std::string_view(token) : std::string_view(); });
    if (!normal) continue;
    longest_ = std::max(longest_, token.size());
    if (token.size() == 1) byte_tokens_[static_cast<uint8_t>(token[0])] = id;
  }
}

size_t TiktokenTokenizer::find_cut(std::string_view text, size_t from) const {
  return known_pattern_ ? find_word_cut(text, from) : text.size();
}

TokenId TiktokenTokenizer::token_of(std::string_view bytes) const {
  if (bytes.size() > longest_) return -1;
  const auto id = find(bytes);
  return id && kind(*id) == TokenKind::normal ? *id : -1;
}

void TiktokenTokenizer::encode_plain(std::string_view text, bool /*space_before*/, EncodeWork& work) const {
  const auto append = [&](std::string_view word) {
    work.cache.append(word, work.ids, [&] { encode_word(word, work); });
  };
  while (!text.empty()) {
    const size_t valid = valid_utf8_length(text);
    pattern_.split(text.substr(0, valid), [&](std::string_view word, bool is_match) {
      if (is_match) append(word);
    });
    text.remove_prefix(valid);
    size_t invalid = 0;
    while (invalid < text.size() && utf8_step(text.substr(invalid)).kind != Utf8Step::Kind::character) {
      invalid += utf8_step(text.substr(invalid)).length;
    }
    if (invalid > 0) append(text.substr(0, invalid));
    text.remove_prefix(invalid);
  }
}

void TiktokenTokenizer::encode_word(std::string_view word, EncodeWork& work) const {
  if (const TokenId whole = token_of(word); whole >= 0) return work.ids.push_back(whole);
  SymbolList& symbols = work.symbols;
  symbols.start(word.size());
  for (size_t i = 0; i < word.size(); ++i) symbols.append(i, byte_tokens_[static_cast<uint8_t>(word[i])]);
  const auto end_of = [&](const Symbol& symbol) { return symbol.next == Symbol::kNone ? word.size() : symbol.next; };
  symbols.merge_all([&](size_t left, size_t right) -> Merge {
    const TokenId id = token_of(word.substr(left, end_of(symbols[right]) - left));
    return id < 0 ? Merge{} : Merge{.rank = static_cast<uint32_t>(id), .merged = id};
  });
  symbols.for_each([&](const Symbol& symbol, size_t) { work.ids.push_back(symbol.id); });
}

}  // namespace kvzip
