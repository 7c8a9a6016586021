// Remembers how the words of one text were encoded, so that a frequent word is merged once. Belongs to one call of
// encode().
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "kvzip/text/tokenizer.h"

namespace kvzip {

/// A word maps to the place in the output where its ids already are, so nothing is stored twice. One word per slot: a
/// newcomer replaces the older one, which bounds the memory.
class WordCache {
 public:
  /// For a text of `text_bytes` bytes.
  explicit WordCache(size_t text_bytes) : slots_(std::bit_ceil(std::clamp(text_bytes / 8, kFewest, kMost))) {}

  /// Appends the ids of `word` to `out`: those found there earlier, or else what encode_word() appends. The bytes of
  /// `word` must outlive the cache, and `out` must only grow.
  template <class EncodeWord>
  void append(std::string_view word, std::vector<TokenId>& out, EncodeWord encode_word) {
    if (word.size() > kLongestWord) return encode_word();
    Slot& slot = slots_[std::hash<std::string_view>{}(word) & (slots_.size() - 1)];
    const size_t begin = out.size();
    if (slot.generation == generation_ && slot.word == word) {
      out.resize(begin + slot.count);
      std::copy_n(out.begin() + static_cast<std::ptrdiff_t>(slot.begin), slot.count,
                  out.begin() + static_cast<std::ptrdiff_t>(begin));
      return;
    }
    encode_word();
    slot = {
        .word = word, .begin = begin, .count = static_cast<uint32_t>(out.size() - begin), .generation = generation_};
  }

  /// Forgets all words: the output no longer holds their ids.
  void clear() { ++generation_; }

 private:
  static constexpr size_t kLongestWord = 64;
  static constexpr size_t kFewest = 16;
  static constexpr size_t kMost = 1U << 15;
  struct Slot {
    std::string_view word;
    size_t begin = 0;
    uint32_t count = 0;
    uint32_t generation = 0;  ///< 0: free
  };
  uint32_t generation_ = 1;
  std::vector<Slot> slots_;
};

}  // namespace kvzip
