// The loop of byte pair encoding: merge the best pair of neighbours until none is left. O(n log n) for a word of n
// bytes, however repetitive it is. Stateless; a SymbolList belongs to one thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

#include "kvzip/text/tokenizer.h"

namespace kvzip {

/// What two neighbours become, and how early: a lower rank goes first.
struct Merge {
  static constexpr uint32_t kNoRank = std::numeric_limits<uint32_t>::max();
  uint32_t rank = kNoRank;
  TokenId merged = -1;
  explicit operator bool() const { return rank != kNoRank; }
};

/// A part of a word that is a token (or, with id -1, not yet one). A symbol's index is the offset of its first byte in
/// the word.
struct Symbol {
  static constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();
  uint32_t previous = kNone;
  uint32_t next = kNone;
  TokenId id = -1;
  Merge merge;  ///< with the next symbol
};

/// A word's symbols, in order from index 0. Kept from word to word so that its memory is.
class SymbolList {
 public:
  /// Starts a word of `bytes` bytes.
  void start(size_t bytes) {
    if (symbols_.size() < bytes) symbols_.resize(bytes);
    first_ = last_ = Symbol::kNone;
  }

  /// Appends the symbol whose first byte is at `offset`.
  void append(size_t offset, TokenId id) {
    const auto at = static_cast<uint32_t>(offset);
    symbols_[at] = {.previous = last_, .next = Symbol::kNone, .id = id, .merge = {}};
    (last_ == Symbol::kNone ? first_ : symbols_[last_].next) = at;
    last_ = at;
  }

  /// Merges until no neighbours merge any more: the lowest rank first, among equals the leftmost.
  /// find_merge(offset of the left symbol, offset of the right one) -> Merge.
  template <class FindMerge>
  void merge_all(FindMerge find_merge);

  /// Calls visit(symbol, first byte) for each symbol in order.
  template <class Visit>
  void for_each(Visit visit) const {
    for (uint32_t at = first_; at != Symbol::kNone; at = symbols_[at].next) visit(symbols_[at], size_t{at});
  }

  const Symbol& operator[](size_t offset) const { return symbols_[offset]; }

 private:
  uint32_t first_ = Symbol::kNone;
  uint32_t last_ = Symbol::kNone;
  std::vector<Symbol> symbols_;
  std::vector<uint64_t>
      queue_;  ///< heap of rank << 32 | offset; entries that no longer describe the symbol there are stale
};

template <class FindMerge>
void SymbolList::merge_all(FindMerge find_merge) {
  const auto offer = [&](uint32_t at) {
    Symbol& symbol = symbols_[at];
    symbol.merge = symbol.next == Symbol::kNone ? Merge{} : find_merge(size_t{at}, size_t{symbol.next});
    if (symbol.merge) queue_.push_back((uint64_t{symbol.merge.rank} << 32) | at);
    return bool{symbol.merge};
  };
  queue_.clear();
  for (uint32_t at = first_; at != Symbol::kNone; at = symbols_[at].next) offer(at);
  std::make_heap(queue_.begin(), queue_.end(), std::greater<>());
  while (!queue_.empty()) {
    const uint64_t best = queue_.front();
    std::pop_heap(queue_.begin(), queue_.end(), std::greater<>());
    queue_.pop_back();
    const auto at = static_cast<uint32_t>(best);
    Symbol& left = symbols_[at];
    if (left.merge.rank != best >> 32) continue;  // stale; a symbol that was merged away has no rank
    Symbol& right = symbols_[left.next];
    left.id = left.merge.merged;
    right.merge = {};
    left.next = right.next;
    if (left.next != Symbol::kNone) symbols_[left.next].previous = at;
    if (left.previous != Symbol::kNone && offer(left.previous)) {
      std::push_heap(queue_.begin(), queue_.end(), std::greater<>());
    }
    if (offer(at)) std::push_heap(queue_.begin(), queue_.end(), std::greater<>());
  }
}

}  // namespace kvzip
