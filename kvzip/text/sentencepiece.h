// SentencePiece's byte pair encoding as GGUF files hold it (Gemma, Llama 2). Immutable once made; safe from any number
// of threads.
#pragma once

#include <string>

#include "kvzip/text/sentencepiece_bpe.h"
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
  void encode_plain(std::string_view text, bool space_before, EncodeWork& work) const override;
  size_t find_cut(std::string_view text, size_t from) const override { return bpe_.find_cut(text, from); }
  void add_pieces();

  ByteFallback fallback_;
  SentencePieceBpe bpe_;
};

}  // namespace kvzip
