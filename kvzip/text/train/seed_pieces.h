// Where Unigram training starts: the substrings of words that occur most. Stateless; safe from any number of threads.
#pragma once

#include <cstdint>
#include <vector>

#include "kvzip/text/train/letter_words.h"

namespace kvzip {

/// A substring of a word: one place where it occurs, and how often it does in the whole corpus.
struct SeedPiece {
  uint32_t begin = 0;  ///< in LetterWords::letters()
  uint32_t length = 0;
  uint64_t count = 0;
};

/// The `most` substrings of 2 to `longest` (at most 255) letters with the largest count times length, of those that
/// occur twice or more and can't be made longer without occurring less often. Found in a suffix array of the distinct
/// words; n log n for n letters.
std::vector<SeedPiece> seed_pieces(const LetterWords& words, size_t longest, size_t most);

}  // namespace kvzip
