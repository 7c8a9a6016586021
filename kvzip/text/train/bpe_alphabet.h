// The tokens that byte pair encoding starts from: special tokens, then the characters of the corpus. Stateless.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "kvzip/text/tokenizer.h"
#include "kvzip/text/train/token_slots.h"
#include "kvzip/text/train/word_counts.h"

namespace kvzip {

/// The options of the PyPI package `tokenizers`' BpeTrainer, by the same names.
struct BpeTrainingOptions {
  size_t vocab_size = 30000;
  uint64_t min_frequency = 0;
  std::vector<std::string> special_tokens = {};
  std::optional<size_t> limit_alphabet = {};    ///< keep only the most frequent characters
  std::u32string initial_alphabet = {};         ///< characters that are tokens even where the corpus has none of them
  std::string continuing_subword_prefix = {};   ///< before every token that doesn't begin a word: ## of WordPiece
  std::string end_of_word_suffix = {};          ///< behind every token that ends a word
  std::optional<size_t> max_token_length = {};  ///< longer tokens aren't made; in characters
  bool byte_level = false;                      ///< characters are bytes, spelled in the alphabet of byte_alphabet.h
};

/// A vocabulary that grows: ids count up from 0.
class GrowingVocabulary {
 public:
  /// The id of `token`, new where there was none.
  TokenId add(const std::string& token);
  std::optional<TokenId> find(const std::string& token) const;
  const std::string& operator[](TokenId id) const { return tokens_[static_cast<size_t>(id)]; }
  size_t size() const { return tokens_.size(); }
  std::vector<std::string> take() { return std::move(tokens_); }

 private:
  std::vector<std::string> tokens_;
  std::unordered_map<std::string, TokenId> ids_;
};

/// All characters of byte_alphabet.h.
std::u32string byte_level_alphabet();

/// Adds the special tokens and the alphabet, in the order of their code points, then their spellings with prefix and
/// suffix.
void add_alphabet(const WordCounts& words, const BpeTrainingOptions& options, GrowingVocabulary& vocabulary);

/// Slots that share one word count, up to `end`.
struct CountRange {
  uint32_t end = 0;
  uint64_t count = 0;
};

/// Words of two tokens or more, the most frequent first, and how often they occur.
struct CountedSlots {
  TokenSlots slots;
  std::vector<CountRange> ranges;
  uint64_t single_tokens = 0;  ///< occurrences of words of one token, which never merge
};

/// The words as tokens; characters outside the vocabulary are left out. Throws Error{memory} above 2^32 tokens.
CountedSlots lay_out_words(const WordCounts& words, const BpeTrainingOptions& options,
                           const GrowingVocabulary& vocabulary);

}  // namespace kvzip
