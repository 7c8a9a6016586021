// What both kinds of tokenizer share: the checked vocabulary, its index, special tokens in the text, and the way back
// to bytes. Immutable once made; safe from any number of threads.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kvzip/text/merge_symbols.h"
#include "kvzip/text/special_tokens.h"
#include "kvzip/text/token_index.h"
#include "kvzip/text/vocabulary.h"
#include "kvzip/text/word_cache.h"

namespace kvzip {

class VocabularyTokenizer : public Tokenizer {
 public:
  VocabularyTokenizer(const VocabularyTokenizer&) = delete;
  VocabularyTokenizer& operator=(const VocabularyTokenizer&) = delete;

  std::vector<TokenId> encode(std::string_view text) const final;
  std::string_view piece(TokenId id) const final;
  std::string decode(std::span<const TokenId> ids) const final;
  size_t vocab_size() const final { return tokens_.size(); }
  std::optional<TokenId> find(std::string_view token) const final { return index_.find(token); }
  std::string_view spelling(TokenId id) const final { return tokens_[checked(id)]; }

 protected:
  /// The longest text that can be encoded: offsets in it are 32 bits wide.
  static constexpr size_t kLongestText = size_t{1} << 30;

  /// What one call of encode() works with.
  struct Work {
    explicit Work(size_t text_bytes) : cache(text_bytes) {}
    std::vector<TokenId> ids;
    WordCache cache;
    SymbolList symbols;
    std::string scratch;
  };

  /// Takes tokens and kinds out of `vocabulary`. The bytes that tokens stand for are added by the subclass, in order of
  /// their ids.
  /// `space_prefix`: a space is put before text at the very start and behind control tokens, and decode() takes it away
  /// again.
  VocabularyTokenizer(Vocabulary& vocabulary, bool space_prefix);

  /// Appends the ids of `text`, in which no special token occurs; with `space_before`, as if a space stood before it.
  /// Everything that `text` views outlives `work`.
  virtual void encode_plain(std::string_view text, bool space_before, Work& work) const = 0;

  TokenKind kind(TokenId id) const { return kinds_.empty() ? TokenKind::normal : kinds_[static_cast<size_t>(id)]; }
  const std::vector<std::string>& tokens() const { return tokens_; }
  /// The first token of kind unknown, or -1.
  TokenId unknown() const { return unknown_; }

  /// Adds the next id's piece: append(pieces) puts its bytes at the end of the string it is given.
  template <class Append>
  void add_piece(Append append) {
    append(pieces_);
    piece_ends_.push_back(pieces_.size());
  }

 private:
  size_t checked(TokenId id) const;
  void add_special_tokens();

  std::vector<std::string> tokens_;
  std::vector<TokenKind> kinds_;  ///< empty: all normal
  TokenIndex index_;
  SpecialTokens specials_;
  bool space_prefix_;
  TokenId unknown_ = -1;
  std::string pieces_;              ///< the pieces of all ids, one behind the other
  std::vector<size_t> piece_ends_;  ///< by id
};

}  // namespace kvzip
