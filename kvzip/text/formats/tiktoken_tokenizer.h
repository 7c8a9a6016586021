// A tokenizer that merges by the rank of what two parts become together. Immutable once made; safe from any number of
// threads.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "kvzip/text/regex.h"
#include "kvzip/text/vocabulary_tokenizer.h"

namespace kvzip {

class TiktokenTokenizer final : public VocabularyTokenizer {
 public:
  /// `tokens` are the bytes by rank; `kinds` says which are special (control) and which ids nothing has (unused). All
  /// 256 single bytes are there. Throws Error{unsupported} for a pattern that can't be compiled.
  TiktokenTokenizer(std::vector<std::string> tokens, std::vector<TokenKind> kinds, std::string name,
                    const std::string& pattern);

  std::string description() const override { return "bpe (" + name_ + ")"; }

 private:
  void encode_plain(std::string_view text, bool space_before, EncodeWork& work) const override;
  size_t find_cut(std::string_view text, size_t from) const override;
  void encode_word(std::string_view word, EncodeWork& work) const;
  TokenId token_of(std::string_view bytes) const;

  std::string name_;
  Regex pattern_;
  bool known_pattern_;
  size_t longest_ = 0;  ///< bytes of the longest token that merging can make
  std::array<TokenId, 256> byte_tokens_{};
};

}  // namespace kvzip
