// Finds the special tokens that are spelled out in a text: a trie over their spellings. Immutable; safe from any number
// of threads.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "kvzip/text/tokenizer.h"

namespace kvzip {

class SpecialTokens {
 public:
  /// The longest spelling, in bytes. A byte of text costs at most the length of the longest token, so the search is
  /// linear.
  static constexpr size_t kLongest = 256;

  struct Found {
    size_t begin;
    size_t end;
    TokenId id;
  };

  SpecialTokens();

  /// `spelling` must have 1 to kLongest bytes. Where two tokens are spelled alike the first one counts.
  void add(std::string_view spelling, TokenId id);
  /// The first token at or after `from`; where several begin at the same place, the longest.
  std::optional<Found> find(std::string_view text, size_t from) const;

 private:
  static constexpr uint32_t kNone = 0;  ///< the root is nobody's child
  struct Node {
    uint32_t first_child = kNone;
    uint32_t next_sibling = kNone;
    TokenId id = -1;
    char byte = 0;
  };
  uint32_t child(uint32_t node, char byte) const;
  std::optional<Found> longest_at(std::string_view text, size_t begin) const;

  std::vector<Node> nodes_;
  std::array<uint32_t, 256> roots_{};  ///< the root's children by byte, as every byte of a text looks there
};

}  // namespace kvzip
