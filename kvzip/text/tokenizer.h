// The interface of all tokenizers. Immutable once made; safe from any number of threads.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kvzip {

using TokenId = int32_t;

/// Text of tokens that come one by one. Belongs to one thread.
class TokenStream {
 public:
  virtual ~TokenStream() = default;

  /// Appends the text that is certain after this token; bytes that are no UTF-8 come out as they are.
  virtual void push(TokenId id, std::string& text) = 0;
  /// Appends what was held back. Nothing may be pushed afterwards.
  virtual void finish(std::string& text) = 0;
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  /// Ids of `text`. Special tokens that are spelled out in the text become their ids; none are added. Invalid UTF-8 is
  /// encoded byte by byte where tokens stand for bytes, else as U+FFFD. Bytes for which the vocabulary has no token
  /// become the unknown token, and are left out where it has none. Near-linear time. Throws Error{input} for a text
  /// above 1 GiB.
  virtual std::vector<TokenId> encode(std::string_view text) const = 0;
  /// The bytes that one token stands for in running text; control tokens give nothing, the unknown token U+FFFD. Here
  /// and below an id outside the vocabulary throws Error{input}.
  virtual std::string_view piece(TokenId id) const = 0;
  /// Text of `ids`, control tokens left out. Bytes that are no UTF-8 come out as they are.
  virtual std::string decode(std::span<const TokenId> ids) const = 0;
  /// Text of `ids` with control tokens spelled out: the text that was encoded, where nothing in it was lost.
  virtual std::string verbatim(std::span<const TokenId> ids) const;
  /// What decode() gives, token by token. The tokenizer must outlive it.
  virtual std::unique_ptr<TokenStream> stream() const;
  /// `first` with the special tokens that the model expects around a text, or around two with `second`: where the
  /// vocabulary's file says nothing of them, the ids as they are.
  virtual std::vector<TokenId> with_special_tokens(std::span<const TokenId> first,
                                                   std::optional<std::span<const TokenId>> second = {}) const;
  virtual size_t vocab_size() const = 0;
  /// The id of the special or ordinary token spelled exactly so.
  virtual std::optional<TokenId> find(std::string_view token) const = 0;
  /// How the vocabulary file spells the token (for `kvzip tokenize`).
  virtual std::string_view spelling(TokenId id) const = 0;
  /// "bpe (smollm)", "sentencepiece bpe": for people.
  virtual std::string description() const = 0;
};

inline std::string decode_verbatim(const Tokenizer& tokenizer, std::span<const TokenId> ids) {
  return tokenizer.verbatim(ids);
}

}  // namespace kvzip
