#include "kvzip/text/special_tokens.h"

#include "kvzip/base/check.h"

namespace kvzip {

SpecialTokens::SpecialTokens() : nodes_(1) {}

uint32_t SpecialTokens::child(uint32_t node, char byte) const {
  if (node == 0) return roots_[static_cast<uint8_t>(byte)];
  uint32_t at = nodes_[node].first_child;
  while (at != kNone && nodes_[at].byte != byte) at = nodes_[at].next_sibling;
  return at;
}

void SpecialTokens::add(std::string_view spelling, TokenId id) {
  check(!spelling.empty() && spelling.size() <= kLongest, "length of a special token");
  uint32_t node = 0;
  for (const char byte : spelling) {
    uint32_t next = child(node, byte);
    if (next == kNone) {
      next = static_cast<uint32_t>(nodes_.size());
      nodes_.push_back({.next_sibling = node == 0 ? kNone : nodes_[node].first_child, .byte = byte});
      (node == 0 ? roots_[static_cast<uint8_t>(byte)] : nodes_[node].first_child) = next;
    }
    node = next;
  }
  if (nodes_[node].id < 0) nodes_[node].id = id;
}

std::optional<SpecialTokens::Found> SpecialTokens::longest_at(std::string_view text, size_t begin) const {
  std::optional<Found> found;
  uint32_t node = 0;
  for (size_t at = begin; at < text.size(); ++at) {
    node = child(node, text[at]);
    if (node == kNone) break;
    if (nodes_[node].id >= 0) found = {.begin = begin, .end = at + 1, .id = nodes_[node].id};
  }
  return found;
}

std::optional<SpecialTokens::Found> SpecialTokens::find(std::string_view text, size_t from) const {
  for (size_t at = from; at < text.size(); ++at) {
    if (roots_[static_cast<uint8_t>(text[at])] == kNone) continue;
    if (const auto found = longest_at(text, at)) return found;
  }
  return std::nullopt;
}

}  // namespace kvzip
