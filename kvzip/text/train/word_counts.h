// How often each word of a corpus occurs. Memory grows with the distinct words, not with the corpus. Owns copies of the
// words; belongs to one thread while words are added.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kvzip {

class WordCounts {
 public:
  struct Word {
    std::string_view text;
    uint64_t count = 0;
  };

  /// Counts `word`, of less than 4 GiB, `count` times more. Throws Error{memory} above 2^32 - 2 distinct words.
  void add(std::string_view word, uint64_t count = 1);
  void add_all(const WordCounts& other);

  /// Distinct words.
  size_t size() const { return entries_.size(); }
  /// In the order in which they were first added. The view ends with the next add().
  Word operator[](size_t index) const {
    const Entry& entry = entries_[index];
    return {std::string_view(text_).substr(entry.begin, entry.length), entry.count};
  }
  /// All words, with repetitions.
  uint64_t total() const;
  /// Indices of all words: the most frequent first, equally frequent ones in the order of their bytes. The same for any
  /// order in which words were added.
  std::vector<uint32_t> by_frequency() const;

 private:
  struct Entry {
    uint64_t begin = 0;
    uint64_t count = 0;
    uint32_t length = 0;
    uint32_t hash = 0;
  };
  void grow();

  std::string text_;
  std::vector<Entry> entries_;
  std::vector<uint32_t> slots_;  ///< hash table of index + 1; 0 = free
};

}  // namespace kvzip
