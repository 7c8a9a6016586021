// The words of a corpus as tokens that are merged in place: one array, in which a token that spans several slots tells
// its length at both ends. Reaching a token's neighbours takes a step, however long the word is. Belongs to one thread.
#pragma once

#include <cstdint>
#include <vector>

#include "kvzip/text/tokenizer.h"

namespace kvzip {

/// Slots hold a token's id where it begins; kInside + the token's length in all its other slots that matter; and
/// kBoundary before, between and behind words.
class TokenSlots {
 public:
  static constexpr uint32_t kInside = 0x80000000U;
  static constexpr uint32_t kBoundary = 0x7FFFFFFFU;
  static constexpr size_t kMost = 0xFFFFFFFFU;

  TokenSlots() : slots_{kBoundary} {}

  void reserve(size_t slots) { slots_.reserve(slots); }
  void append(TokenId id) { slots_.push_back(static_cast<uint32_t>(id)); }
  void end_word() { slots_.push_back(kBoundary); }
  size_t size() const { return slots_.size(); }

  /// The token that begins at `slot`.
  TokenId id(uint32_t slot) const { return static_cast<TokenId>(slots_[slot]); }
  bool begins(uint32_t slot, TokenId id) const { return slots_[slot] == static_cast<uint32_t>(id); }
  bool is_token(uint32_t slot) const { return slots_[slot] < kBoundary; }

  /// Slots of the token that begins at `slot`: how many symbols it was merged from.
  uint32_t length(uint32_t slot) const {
    const uint32_t behind = slots_[slot + 1];
    return (behind & kInside) != 0 ? behind & ~kInside : 1;
  }
  /// Where the next token begins, or the boundary.
  uint32_t next(uint32_t slot) const { return slot + length(slot); }
  /// Where the token before begins, or the boundary.
  uint32_t previous(uint32_t slot) const {
    const uint32_t before = slots_[slot - 1];
    return (before & kInside) != 0 ? slot - (before & ~kInside) : slot - 1;
  }

  /// Makes one token of the one at `left` and the one at `right`, which follows it.
  void merge(uint32_t left, uint32_t right, TokenId id) {
    const uint32_t length = next(right) - left;
    slots_[left] = static_cast<uint32_t>(id);
    slots_[right] = slots_[left + 1] = slots_[left + length - 1] = kInside | length;
  }

 private:
  std::vector<uint32_t> slots_;
};

}  // namespace kvzip
