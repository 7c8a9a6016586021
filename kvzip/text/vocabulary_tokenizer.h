// What tokenizers with a list of tokens share: the checked vocabulary, its index, special tokens in the text, and the
// way back to bytes. Immutable once made; safe from any number of threads.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kvzip/text/byte_fallback.h"
#include "kvzip/text/encode_work.h"
#include "kvzip/text/special_tokens.h"
#include "kvzip/text/token_index.h"
#include "kvzip/text/vocabulary.h"

namespace kvzip {

class VocabularyTokenizer : public Tokenizer {
 public:
  VocabularyTokenizer(const VocabularyTokenizer&) = delete;
  VocabularyTokenizer& operator=(const VocabularyTokenizer&) = delete;

  /// Long texts on all threads; the ids don't depend on that.
  std::vector<TokenId> encode(std::string_view text) const final;
  /// The same, in parts of at least `part_bytes` bytes where the text can be cut.
  std::vector<TokenId> encode_in_parts(std::string_view text, size_t part_bytes) const;
  std::string_view piece(TokenId id) const final;
  std::string decode(std::span<const TokenId> ids) const override;
  size_t vocab_size() const final { return tokens_.size(); }
  std::optional<TokenId> find(std::string_view token) const final { return index_.find(token); }
  std::string_view spelling(TokenId id) const final { return tokens_[checked(id)]; }

 protected:
  /// The longest text that can be encoded: offsets in it are 32 bits wide.
  static constexpr size_t kLongestText = size_t{1} << 30;

  struct Options {
    /// A space is put before text at the very start and behind control tokens, and decode() takes it away again.
    bool space_prefix = false;
    /// Which tokens encode() finds where they are spelled out in the text, before anything else is done to it.
    bool find_control = true;
    bool find_user_defined = true;
  };

  /// `kinds` is by id like `tokens`; empty: all normal. The bytes that tokens stand for are added by the subclass, in
  /// order of their ids.
  VocabularyTokenizer(std::vector<std::string> tokens, std::vector<TokenKind> kinds, const Options& options);

  /// Appends the ids of `text`, in which no special token occurs; with `space_before`, as if a space stood before it.
  /// Everything that `text` views outlives `work`.
  virtual void encode_plain(std::string_view text, bool space_before, EncodeWork& work) const = 0;
  /// The first place at or behind `from`, which is at least 1, where a text without special tokens can be cut into two
  /// that have the same ids, the second one with no space before it; the end where there is none.
  virtual size_t find_cut(std::string_view text, size_t /*from*/) const { return text.size(); }
  /// Changes the ids of a whole text at the end of encode().
  virtual void finish(std::vector<TokenId>& /*ids*/) const {}

  TokenKind kind(TokenId id) const { return kinds_.empty() ? TokenKind::normal : kinds_[static_cast<size_t>(id)]; }
  const std::vector<std::string>& tokens() const { return tokens_; }
  const std::vector<TokenKind>& kinds() const { return kinds_; }  ///< empty: all normal
  const TokenIndex& index() const { return index_; }
  /// The first token of kind unknown, or -1.
  TokenId unknown() const { return unknown_; }
  /// The tokens of kind byte. Throws Error{input} where one is not spelled <0xHH>.
  ByteFallback byte_fallback() const;

  /// Adds the next id's piece: append(pieces) puts its bytes at the end of the string it is given.
  template <class Append>
  void add_piece(Append append) {
    append(pieces_);
    piece_ends_.push_back(pieces_.size());
  }

 private:
  using Found = SpecialTokens::Found;
  /// A stretch of the text that no special token reaches into or out of.
  struct Part {
    size_t begin;
    size_t end;
    bool at_start;  ///< of the text, or right behind a control token
  };

  size_t checked(TokenId id) const;
  void encode_part(std::string_view text, const Part& part, EncodeWork& work) const;
  std::vector<Part> parts_of(std::string_view text, size_t part_bytes) const;
  void add_special_tokens();

  std::vector<std::string> tokens_;
  std::vector<TokenKind> kinds_;  ///< empty: all normal
  TokenIndex index_;
  SpecialTokens specials_;
  Options options_;
  TokenId unknown_ = -1;
  std::string pieces_;              ///< the pieces of all ids, one behind the other
  std::vector<size_t> piece_ends_;  ///< by id
};

}  // namespace kvzip
