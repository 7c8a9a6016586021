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
  size_t slot_of(uint64_t pair) const;

  std::vector<Slot> slots_;
};

}  // namespace kvzip
