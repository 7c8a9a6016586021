// A trie over spellings, made once while a vocabulary is loaded: finds all tokens that a text begins with in one walk.
// Immutable once filled; safe from any number of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "kvzip/text/tokenizer.h"

namespace kvzip {

/// The nodes are one flat hash table from (node, byte) to (child, its token).
class ByteTrie {
 public:
  ByteTrie() : slots_(kFewestSlots) {}

  /// `id` is at least 0. A later token of the same spelling replaces the earlier one; an empty spelling is never found.
  void add(std::string_view spelling, TokenId id);

  /// Calls visit(length, id) for each token that `text` begins with, the shortest first.
  template <class Visit>
  void prefixes(std::string_view text, Visit visit) const {
    uint32_t node = kRoot;
    for (size_t at = 0; at < text.size(); ++at) {
      const Slot& slot = slots_[slot_of(node, static_cast<uint8_t>(text[at]))];
      if (slot.child == kNone) return;
      if (slot.id >= 0) visit(at + 1, slot.id);
      node = slot.child;
    }
  }

 private:
  static constexpr uint32_t kRoot = 0;
  static constexpr uint32_t kNone = 0;  ///< the root is nobody's child
  static constexpr size_t kFewestSlots = 64;
  struct Slot {
    uint32_t node = kNone;
    uint32_t child = kNone;  ///< kNone: the slot is free
    TokenId id = -1;
    uint8_t byte = 0;
  };

  /// The slot of the child, or the free one where it would go.
  size_t slot_of(uint32_t node, uint8_t byte) const {
    // Fibonacci hashing; the upper half of the product is the well mixed one.
    const uint64_t key = (uint64_t{node} << 8U) | byte;
    size_t at = ((key * 0x9E3779B97F4A7C15U) >> 32U) & (slots_.size() - 1);
    while (slots_[at].child != kNone && (slots_[at].node != node || slots_[at].byte != byte)) {
      at = (at + 1) & (slots_.size() - 1);
    }
    return at;
  }
  void grow();

  uint32_t nodes_ = 1;
  std::vector<Slot> slots_;  ///< a power of two, at most half of them in use
};

}  // namespace kvzip
