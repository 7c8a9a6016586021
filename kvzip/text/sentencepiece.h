// SentencePiece's byte pair encoding (Gemma, Llama 2): characters merge into the token with the highest score; a space
// is spelled U+2581; characters without a token fall back to bytes. Immutable once made; safe from any number of
// threads.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "kvzip/text/vocabulary_tokenizer.h"

namespace kvzip {

/// Only normal tokens come out of merging. A character that has neither a token nor byte tokens
/// becomes the unknown token, and is left out where the vocabulary has none.
class SentencePiece final : public VocabularyTokenizer {
 public:
  /// Throws Error{input} where the scores are not one number per token or a byte token is not spelled <0xHH>.
  explicit SentencePiece(Vocabulary vocabulary);
  std::string description() const override { return "sentencepiece bpe"; }

 private:
  void encode_plain(std::string_view text, bool space_before, Work& work) const override;
  void encode_word(std::string_view word, bool space_before, Work& work) const;
  void append_fallback(std::string_view character, std::vector<TokenId>& ids) const;
  /// The token that merging may make of these characters, and its rank. Merge{} where there is none.
  Merge token_of(std::string_view spelling) const;
  size_t word_end(std::string_view text, size_t begin) const;

  void add_pieces();
  void add_byte_token(size_t id);

  std::vector<float> scores_;
  size_t longest_ = 0;                      ///< bytes of the longest token
  std::array<TokenId, 256> byte_tokens_{};  ///< -1: the vocabulary has none
  std::array<bool, 256> joins_space_{};     ///< by byte: whether any token has a space right behind it
};

}  // namespace kvzip
