// SentencePiece's normalization: characters are replaced, spaces are spelled U+2581, added and removed. Immutable once
// made; safe from any number of threads.
#pragma once

#include <string>
#include <string_view>

#include "kvzip/text/charsmap.h"
#include "kvzip/text/formats/sentencepiece_spec.h"
#include "kvzip/text/special_tokens.h"

namespace kvzip {

class SentencePieceNormalizer {
 public:
  /// `untouchable` are pieces that are found in the text before any character is replaced, and stay as they are; they
  /// must outlive the normalizer. Throws Error{input} for a broken charsmap.
  SentencePieceNormalizer(const SentencePieceNormalization& normalization, bool whitespace_as_suffix,
                          const SpecialTokens& untouchable);

  /// Bytes that are not UTF-8 become U+FFFD each. No space is put before a text that is not `at_start`.
  std::string normalize(std::string_view text, bool at_start = true) const;
  /// Whether normalize() only spells spaces and puts one before the text, where the text is UTF-8.
  bool only_spells_spaces() const { return charsmap_.empty() && !options_.remove_extra_whitespaces && !suffix_; }

 private:
  class Run;

  SentencePieceNormalization options_;
  bool suffix_;
  Charsmap charsmap_;
  const SpecialTokens& untouchable_;
};

}  // namespace kvzip
