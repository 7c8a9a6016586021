#include "kvzip/text/byte_trie.h"

#include "kvzip/base/check.h"

namespace kvzip {

void ByteTrie::add(std::string_view spelling, TokenId id) {
  check(id >= 0, "a token has an id");
  uint32_t node = kRoot;
  for (size_t i = 0; i < spelling.size(); ++i) {
    if (2 * size_t{nodes_} >= slots_.size()) grow();
    const auto byte = static_cast<uint8_t>(spelling[i]);
    Slot& slot = slots_[slot_of(node, byte)];
    if (slot.child == kNone) slot = {.node = node, .child = nodes_++, .id = -1, .byte = byte};
    if (i + 1 == spelling.size()) slot.id = id;
    node = slot.child;
  }
}

void ByteTrie::grow() {
  std::vector<Slot> old(2 * slots_.size());
  old.swap(slots_);
  for (const Slot& slot : old) {
    if (slot.child != kNone) slots_[slot_of(slot.node, slot.byte)] = slot;
  }
}

}  // namespace kvzip
