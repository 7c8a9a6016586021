// SentencePiece's precompiled normalization map: strings and what replaces each, as a double-array trie (the layout of
// the Darts-clone library) followed by the replacements. Immutable once made; safe from any number of threads.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kvzip {

class Charsmap {
 public:
  struct Match {
    size_t length;                 ///< bytes that are replaced
    std::string_view replacement;  ///< of the map, which must outlive it
  };

  /// A map that replaces nothing.
  Charsmap() = default;
  /// `blob` is from an unknown source: a size in bytes (32 bits, little-endian), a trie of that size, and replacements
  /// that end in zero bytes. Throws Error{input} where the sizes contradict each other. A trie that makes no sense
  /// replaces fewer or other strings, nothing worse.
  explicit Charsmap(std::string_view blob);

  bool empty() const { return units_.empty(); }
  /// The longest string of the map that `text` begins with: SentencePiece's rule.
  std::optional<Match> longest(std::string_view text) const;
  /// The shortest one: the rule of the package `tokenizers`, which applies it to whole grapheme clusters.
  std::optional<Match> shortest(std::string_view text) const;
  /// The bytes that `text` begins with and that no rule can change whatever follows, by a quick look at pairs of ASCII.
  size_t untouched(std::string_view text) const;
  /// `text` with all strings of the map replaced from left to right, the longest first. Bytes that are not UTF-8 become
  /// U+FFFD each.
  std::string normalize(std::string_view text) const;

 private:
  /// Calls visit(length, offset of the replacement) for each string that `text` begins with, the shortest first, until
  /// it returns false.
  template <class Visit>
  void prefixes(std::string_view text, Visit visit) const;
  std::string_view replacement(uint32_t offset) const;
  void find_untouched();

  std::vector<uint32_t> units_;
  std::string replacements_;
  std::array<bool, 128> stays_{};  ///< by ASCII byte: unchanged where another ASCII byte or nothing follows
};

}  // namespace kvzip
