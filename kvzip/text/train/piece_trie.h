// A trie over pieces spelled in letters, made anew for every round of Unigram training. Immutable once filled; safe
// from any number of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kvzip/text/train/letter_words.h"

namespace kvzip {

/// The nodes are one flat hash table from (node, letter) to (child, its piece).
class PieceTrie {
 public:
  static constexpr uint32_t kNone = 0xFFFFFFFFU;

  explicit PieceTrie(size_t expected_nodes) : slots_(capacity_for(expected_nodes)) {}

  void add(std::span<const Letter> spelling, uint32_t piece) {
    uint32_t node = 0;
    Slot* slot = nullptr;
    for (const Letter letter : spelling) {
      if ((used_ + 1) * 3 > slots_.size() * 2) grow();
      slot = &slots_[find(node, letter)];
      if (slot->letter == kNoLetter) *slot = {node, letter, static_cast<uint32_t>(++used_), kNone};
      node = slot->child;
    }
    if (slot != nullptr) slot->piece = piece;
  }

  /// Calls visit(length, piece) for each piece that `text` begins with, the shortest first.
  template <class Visit>
  void prefixes(std::span<const Letter> text, Visit visit) const {
    uint32_t node = 0;
    for (size_t at = 0; at < text.size(); ++at) {
      const Slot& slot = slots_[find(node, text[at])];
      if (slot.letter == kNoLetter) return;
      if (slot.piece != kNone) visit(at + 1, slot.piece);
      node = slot.child;
    }
  }

 private:
  struct Slot {
    uint32_t node = 0;
    Letter letter = kNoLetter;  ///< kNoLetter: free
    uint32_t child = 0;
    uint32_t piece = kNone;
  };

  static size_t capacity_for(size_t nodes) {
    size_t capacity = 64;
    while (capacity < nodes * 2) capacity *= 2;
    return capacity;
  }

  size_t find(uint32_t node, Letter letter) const {
    const uint64_t key = (uint64_t{node} << kLetterBits) | letter;
    size_t at = ((key * 0x9E3779B97F4A7C15U) >> 32U) & (slots_.size() - 1);
    while (slots_[at].letter != kNoLetter && (slots_[at].node != node || slots_[at].letter != letter))
      at = (at + 1) & (slots_.size() - 1);
    return at;
  }

  void grow() {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.letter != kNoLetter) slots_[find(slot.node, slot.letter)] = slot;
    }
  }

  std::vector<Slot> slots_;  ///< a power of two
  size_t used_ = 0;
};

}  // namespace kvzip
