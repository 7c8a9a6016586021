// Random choices that are the same on every platform for the same seed. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvzip {

class SeededRandom {
 public:
  /// `stream` sets apart what has the same seed: one per document.
  SeededRandom(uint64_t seed, uint64_t stream) : generator_(seed * 0x9E3779B97F4A7C15U + stream) {}

  /// In [0, count); `count` must not be 0. The bias of the modulo is far below what an evaluation can show.
  size_t below(size_t count) { return static_cast<size_t>(generator_() % count); }
  bool coin() { return below(2) == 0; }

  template <class T>
  const T& pick(std::span<const T> from) {
    return from[below(from.size())];
  }

  template <class T>
  void shuffle(std::vector<T>& values) {
    for (size_t left = values.size(); left > 1; --left) std::swap(values[left - 1], values[below(left)]);
  }

  /// So many decimal digits, the first of them not 0.
  std::string digits(size_t count) {
    std::string text(1, static_cast<char>('1' + below(9)));
    while (text.size() < count) text += static_cast<char>('0' + below(10));
    return text;
  }

  /// A word that is in no dictionary, of `syllables` pairs of a consonant and a vowel.
  std::string made_up_word(size_t syllables) {
    constexpr std::string_view kConsonants = "bdfgklmnprstvz";
    constexpr std::string_view kVowels = "aeiou";
    std::string word;
    for (size_t i = 0; i < syllables; ++i) {
      word += kConsonants[below(kConsonants.size())];
      word += kVowels[below(kVowels.size())];
    }
    return word;
  }

 private:
  std::mt19937_64 generator_;
};

}  // namespace kvzip
