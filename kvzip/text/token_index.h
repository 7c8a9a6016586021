// From spellings to token ids and from pairs of ids to merges: two flat hash tables that are filled once, while a
// vocabulary is loaded. Immutable afterwards; safe from any number of threads.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kvzip/text/merge_symbols.h"
#include "kvzip/text/tokenizer.h"

namespace kvzip {

/// Says of most hashes that were not added that they weren't, from far less memory than the tables below, which most
/// look-ups of byte pair encoding would otherwise miss the caches for.
class HashFilter {
 public:
  explicit HashFilter(size_t expected);
  void add(uint32_t hash) { bits_[word_of(hash)] |= bit_of(hash); }
  bool may_contain(uint32_t hash) const { return (bits_[word_of(hash)] & bit_of(hash)) != 0; }

 private:
  size_t word_of(uint32_t hash) const { return (hash >> 6U) & (bits_.size() - 1); }
  static uint64_t bit_of(uint32_t hash) { return uint64_t{1} << (hash & 63U); }

  std::vector<uint64_t> bits_;  ///< a power of two
};

/// Finds tokens by spelling. Where a spelling occurs twice the lowest id is found; empty spellings are not.
class TokenIndex {
 public:
  /// Keeps a view of `tokens`, which must outlive it.
  explicit TokenIndex(std::span<const std::string> tokens);

  std::optional<TokenId> find(std::string_view spelling) const;

 private:
  struct Slot {
    uint32_t hash = 0;
    TokenId id = -1;
  };
  /// The slot that holds `spelling`, or the free one where it would go.
  size_t slot_of(std::string_view spelling, uint32_t hash) const;

  std::span<const std::string> tokens_;
  HashFilter filter_;
  std::vector<Slot> slots_;  ///< a power of two, at least twice the tokens
};

/// Finds the merge of two neighbouring tokens.
class MergeIndex {
 public:
  explicit MergeIndex(size_t expected);

  /// Keeps the first merge of a pair and ignores later ones, which rank lower.
  void add(TokenId left, TokenId right, Merge merge);
  /// Merge{} where the two do not merge.
  Merge find(TokenId left, TokenId right) const;

 private:
  struct Slot {
    uint64_t pair = 0;
    Merge merge;
  };
  size_t slot_of(uint64_t pair, uint32_t hash) const;

  HashFilter filter_;
  std::vector<Slot> slots_;
};

}  // namespace kvzip
