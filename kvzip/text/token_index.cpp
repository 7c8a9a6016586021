#include "kvzip/text/token_index.h"

#include <bit>
#include <functional>

namespace kvzip {

namespace {

uint32_t hash_of(std::string_view text) { return static_cast<uint32_t>(std::hash<std::string_view>{}(text)); }

uint64_t pair_of(TokenId left, TokenId right) {
  return (uint64_t{static_cast<uint32_t>(left)} << 32) | static_cast<uint32_t>(right);
}

// Fibonacci hashing; the upper half of the product is the well mixed one.
uint32_t hash_of(uint64_t pair) { return static_cast<uint32_t>((pair * 0x9E3779B97F4A7C15U) >> 32U); }

constexpr size_t kFilterBitsPerEntry = 16;

}  // namespace

HashFilter::HashFilter(size_t expected) : bits_(std::bit_ceil(kFilterBitsPerEntry * expected / 64 + 1)) {}

TokenIndex::TokenIndex(std::span<const std::string> tokens)
    : tokens_(tokens), filter_(tokens.size()), slots_(std::bit_ceil(2 * tokens.size() + 2)) {
  for (size_t id = 0; id < tokens.size(); ++id) {
    if (tokens[id].empty()) continue;
    const uint32_t hash = hash_of(tokens[id]);
    Slot& slot = slots_[slot_of(tokens[id], hash)];
    if (slot.id < 0) slot = {.hash = hash, .id = static_cast<TokenId>(id)};
    filter_.add(hash);
  }
}

size_t TokenIndex::slot_of(std::string_view spelling, uint32_t hash) const {
  size_t at = hash & (slots_.size() - 1);
  while (slots_[at].id >= 0 && (slots_[at].hash != hash || tokens_[static_cast<size_t>(slots_[at].id)] != spelling)) {
    at = (at + 1) & (slots_.size() - 1);
  }
  return at;
}

std::optional<TokenId> TokenIndex::find(std::string_view spelling) const {
  const uint32_t hash = hash_of(spelling);
  if (!filter_.may_contain(hash)) return std::nullopt;
  const Slot& slot = slots_[slot_of(spelling, hash)];
  return slot.id < 0 ? std::nullopt : std::optional(slot.id);
}

MergeIndex::MergeIndex(size_t expected) : filter_(expected), slots_(std::bit_ceil(2 * expected + 2)) {}

size_t MergeIndex::slot_of(uint64_t pair, uint32_t hash) const {
  size_t at = hash & (slots_.size() - 1);
  while (slots_[at].merge && slots_[at].pair != pair) at = (at + 1) & (slots_.size() - 1);
  return at;
}

void MergeIndex::add(TokenId left, TokenId right, Merge merge) {
  const uint64_t pair = pair_of(left, right);
  const uint32_t hash = hash_of(pair);
  Slot& slot = slots_[slot_of(pair, hash)];
  if (!slot.merge) slot = {.pair = pair, .merge = merge};
  filter_.add(hash);
}

Merge MergeIndex::find(TokenId left, TokenId right) const {
  const uint64_t pair = pair_of(left, right);
  const uint32_t hash = hash_of(pair);
  return filter_.may_contain(hash) ? slots_[slot_of(pair, hash)].merge : Merge{};
}

}  // namespace kvzip
