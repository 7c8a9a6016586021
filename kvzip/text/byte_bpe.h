// Byte-level byte pair encoding (GPT-2, Llama 3, Qwen, SmolLM): text is cut into words, the bytes of a word are merged
// by rank. Immutable once made; safe from any number of threads.
#pragma once

#include <string>

#include "kvzip/text/byte_merges.h"
#include "kvzip/text/pre_tokenizers.h"
#include "kvzip/text/vocabulary_tokenizer.h"

namespace kvzip {

/// Bytes without a token of their own become the unknown token, and are left out where the vocabulary has none. Bytes
/// that are not UTF-8 are words of one byte each.
class ByteBpe final : public VocabularyTokenizer {
 public:
  /// Throws Error{unsupported} for an unknown pre-tokenizer, Error{input} for a merge that does not join two tokens
  /// into a third.
  explicit ByteBpe(Vocabulary vocabulary);
  std::string description() const override { return "bpe (" + pre_tokenizer_.name() + ")"; }

 private:
  void encode_plain(std::string_view text, bool space_before, EncodeWork& work) const override;
  size_t find_cut(std::string_view text, size_t from) const override;
  void encode_word(std::string_view word, EncodeWork& work) const;
  void add_pieces();
  ByteMerges make_merges(const std::vector<std::string>& merges) const;

  PreTokenizer pre_tokenizer_;
  ByteMerges merges_;
};

}  // namespace kvzip
