// How often each pair of neighbouring tokens occurs while merges are learnt: a flat hash table. Belongs to one thread.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "kvzip/text/tokenizer.h"

namespace kvzip {

/// Two tokens as one number, ordered by the left one, then the right one.
using TokenPair = uint64_t;

inline TokenPair token_pair(TokenId left, TokenId right) {
  return (uint64_t{static_cast<uint32_t>(left)} << 32) | static_cast<uint32_t>(right);
}
inline TokenId left_of(TokenPair pair) { return static_cast<TokenId>(pair >> 32); }
inline TokenId right_of(TokenPair pair) { return static_cast<TokenId>(pair & 0xFFFFFFFFU); }

class PairCounts {
 public:
  static constexpr uint32_t kNoList = std::numeric_limits<uint32_t>::max();
  struct Slot {
    TokenPair pair = kFree;
    int64_t count = 0;
    uint32_t list = kNoList;  ///< the newest list of places where the pair appeared
  };

  PairCounts() : slots_(kFewest) {}

  /// The slot of `pair`, made with count 0 where there is none. Valid until the next call.
  Slot& operator[](TokenPair pair) {
    size_t at = find(pair);
    if (slots_[at].pair == kFree) {
      if ((used_ + 1) * 3 > slots_.size() * 2) {
        grow();
        at = find(pair);
      }
      ++used_;
      slots_[at].pair = pair;
    }
    return slots_[at];
  }

  /// Calls visit(slot) for every pair, in no particular order.
  template <class Visit>
  void for_each(Visit visit) {
    for (Slot& slot : slots_) {
      if (slot.pair != kFree) visit(slot);
    }
  }

 private:
  static constexpr size_t kFewest = 1024;
  static constexpr TokenPair kFree = std::numeric_limits<TokenPair>::max();  // no token has the id -1

  size_t find(TokenPair pair) const {
    constexpr uint64_t kMix = 0x9E3779B97F4A7C15U;
    const size_t mask = slots_.size() - 1;
    const uint64_t hash = (pair ^ (pair >> 31)) * kMix;
    size_t at = (hash >> 20) & mask;
    while (slots_[at].pair != pair && slots_[at].pair != kFree) at = (at + 1) & mask;
    return at;
  }

  void grow() {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.pair != kFree) slots_[find(slot.pair)] = slot;
    }
  }

  std::vector<Slot> slots_;  ///< a power of two
  size_t used_ = 0;
};

}  // namespace kvzip
