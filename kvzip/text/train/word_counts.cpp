#include "kvzip/text/train/word_counts.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>

#include "kvzip/base/error.h"

namespace kvzip {
namespace {

constexpr size_t kFewestSlots = 1024;
constexpr uint64_t kMix = 0x9E3779B97F4A7C15U;

uint32_t hash_of(std::string_view word) {
  uint64_t hash = word.size() * kMix;
  const auto mix = [&](uint64_t value) {
    hash = (hash ^ value) * kMix;
    hash ^= hash >> 32;
  };
  while (word.size() >= sizeof(uint64_t)) {
    uint64_t eight = 0;
    std::memcpy(&eight, word.data(), sizeof(eight));
    mix(eight);
    word.remove_prefix(sizeof(eight));
  }
  uint64_t rest = 0;
  std::memcpy(&rest, word.data(), word.size());
  mix(rest);
  return static_cast<uint32_t>(hash ^ (hash >> 29));
}

}  // namespace

void WordCounts::add(std::string_view word, uint64_t count) {
  if (entries_.size() * 2 >= slots_.size()) grow();
  const uint32_t hash = hash_of(word);
  const size_t mask = slots_.size() - 1;
  size_t at = hash & mask;
  for (; slots_[at] != 0; at = (at + 1) & mask) {
    Entry& entry = entries_[slots_[at] - 1];
    if (entry.hash != hash || entry.length != word.size()) continue;
    if (std::memcmp(text_.data() + entry.begin, word.data(), word.size()) != 0) continue;
    entry.count += count;
    return;
  }
  if (entries_.size() >= std::numeric_limits<uint32_t>::max() - 1)
    throw Error(ErrorCode::memory, "the corpus has more than 4 billion different words");
  entries_.push_back({text_.size(), count, static_cast<uint32_t>(word.size()), hash});
  text_.append(word);
  slots_[at] = static_cast<uint32_t>(entries_.size());
}

void WordCounts::add_all(const WordCounts& other) {
  for (size_t i = 0; i < other.size(); ++i) add(other[i].text, other[i].count);
}

uint64_t WordCounts::total() const {
  return std::accumulate(entries_.begin(), entries_.end(), uint64_t{0},
                         [](uint64_t sum, const Entry& entry) { return sum + entry.count; });
}

std::vector<uint32_t> WordCounts::by_frequency() const {
  std::vector<uint32_t> order(size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    if (entries_[a].count != entries_[b].count) return entries_[a].count > entries_[b].count;
    return (*this)[a].text < (*this)[b].text;
  });
  return order;
}

void WordCounts::grow() {
  slots_.assign(std::max(kFewestSlots, slots_.size() * 2), 0);
  const size_t mask = slots_.size() - 1;
  for (size_t i = 0; i < entries_.size(); ++i) {
    size_t at = entries_[i].hash & mask;
    while (slots_[at] != 0) at = (at + 1) & mask;
    slots_[at] = static_cast<uint32_t>(i + 1);
  }
}

}  // namespace kvzip
