// The distinct words of a corpus as letters, for training a Unigram model: characters become small numbers. Immutable
// once made; safe from any number of threads.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kvzip/text/train/word_counts.h"

namespace kvzip {

using Letter = uint32_t;
/// Before and behind every word; letters count up from 1.
inline constexpr Letter kNoLetter = 0;
/// Letters are less than 2^21.
inline constexpr uint32_t kLetterBits = 21;

class LetterWords {
 public:
  struct Word {
    uint32_t begin = 0;  ///< in letters()
    uint32_t length = 0;
    uint64_t count = 0;
  };
  static constexpr size_t kLongestWord = 512;

  /// Words of more than kLongestWord characters are cut. Throws Error{memory} above 2^32 characters of distinct words.
  explicit LetterWords(const WordCounts& counts);

  /// All words one behind the other, the most frequent first, with kNoLetter around each.
  std::span<const Letter> letters() const { return letters_; }
  const std::vector<Word>& words() const { return words_; }
  std::span<const Letter> letters_of(const Word& word) const { return letters().subspan(word.begin, word.length); }
  /// How often the word around a place of letters() occurs.
  uint64_t count_at(uint32_t place) const;
  /// How often each letter occurs, by letter.
  const std::vector<uint64_t>& letter_counts() const { return letter_counts_; }
  std::string spelled(std::span<const Letter> letters) const;

 private:
  struct Range {
    uint32_t end;
    uint64_t count;
  };
  void add(std::string_view word, uint64_t count);

  std::vector<Letter> letters_ = {kNoLetter};
  std::vector<Word> words_;
  std::vector<Range> ranges_;  ///< words of the same count are neighbours
  std::vector<Letter> by_point_;
  std::vector<std::string> characters_ = {""};  ///< by letter
  std::vector<uint64_t> letter_counts_ = {0};
};

}  // namespace kvzip
