#include "kvzip/text/train/bpe_merger.h"

#include <algorithm>

namespace kvzip {
namespace {

/// Finds the counts of slots that are asked for in ascending order.
class CountCursor {
 public:
  explicit CountCursor(const std::vector<CountRange>& ranges) : at_(ranges.begin()), end_(ranges.end()) {}

  uint64_t at(uint32_t slot) {
    constexpr int kSteps = 4;  // most slots are near the one before
    for (int i = 0; i < kSteps && at_->end <= slot; ++i) ++at_;
    if (at_->end <= slot)
      at_ = std::upper_bound(at_, end_, slot, [](uint32_t one, const CountRange& range) { return one < range.end; });
    return at_->count;
  }

 private:
  std::vector<CountRange>::const_iterator at_;
  std::vector<CountRange>::const_iterator end_;
};

}  // namespace

BpeMerger::BpeMerger(CountedSlots words, size_t max_token_length)
    : slots_(std::move(words.slots)),
      ranges_(std::move(words.ranges)),
      max_length_(max_token_length),
      corpus_tokens_(words.single_tokens) {
  count_all_pairs();
}

void BpeMerger::count_all_pairs() {
  const auto for_each_pair = [&](const auto& visit) {
    uint32_t slot = 1;
    for (const CountRange& range : ranges_) {
      for (; slot < range.end; ++slot) {
        if (!slots_.is_token(slot)) continue;
        const bool pair = slots_.is_token(slot + 1);
        visit(slot, pair, range.count);
      }
    }
  };
  // The number of places stands in `list` until the lists are made.
  for_each_pair([&](uint32_t slot, bool pair, uint64_t count) {
    corpus_tokens_ += count;
    if (!pair) return;
    PairCounts::Slot& found = counts_[token_pair(slots_.id(slot), slots_.id(slot + 1))];
    found.count += static_cast<int64_t>(count);
    found.list = found.list == PairCounts::kNoList ? 1 : found.list + 1;
  });
  std::vector<uint32_t> filled;
  counts_.for_each([&](PairCounts::Slot& found) {
    found.list = places_.add(found.list, PairCounts::kNoList);
    filled.push_back(0);
    if (found.count > 0) queue_.push({static_cast<uint64_t>(found.count), found.pair, found.list});
  });
  for_each_pair([&](uint32_t slot, bool pair, uint64_t) {
    if (!pair) return;
    const uint32_t list = counts_[token_pair(slots_.id(slot), slots_.id(slot + 1))].list;
    places_[list].slots[filled[list]++] = slot;
  });
}

std::optional<MergeCandidate> BpeMerger::next() {
  while (std::optional<MergeCandidate> first = queue_.pop()) {
    // As the package has it, a count below zero becomes a large one.
    const auto count = static_cast<uint64_t>(counts_[first->pair].count);
    if (first->count == count) return first;
    first->count = count;
    queue_.push(*first);
  }
  return std::nullopt;
}

// A merge covers the words of its candidate's own list, but in these words every place, also those in other lists of
// the pair.
std::vector<uint32_t> BpeMerger::gather_places(const MergeCandidate& candidate) {
  struct Place {
    uint32_t slot;
    bool own;
  };
  std::vector<Place> found;
  for (uint32_t list = counts_[candidate.pair].list; list != PairCounts::kNoList; list = places_[list].older) {
    for (const uint32_t slot : places_[list].slots) {
      if (slots_.begins(slot, left_of(candidate.pair)) && slots_.begins(slots_.next(slot), right_of(candidate.pair)))
        found.push_back({slot, list == candidate.list});
    }
  }
  std::sort(found.begin(), found.end(), [](const Place& a, const Place& b) { return a.slot < b.slot; });
  std::vector<uint32_t> chosen;
  for (size_t begin = 0; begin < found.size();) {
    size_t end = begin;
    bool own = false;
    uint32_t walk = found[begin].slot;
    while (end < found.size()) {  // while in one word
      while (slots_.is_token(walk) && walk < found[end].slot) walk = slots_.next(walk);
      if (walk != found[end].slot) break;
      own = own || found[end++].own;
    }
    for (; begin < end; ++begin) {
      if (own && (chosen.empty() || chosen.back() != found[begin].slot)) chosen.push_back(found[begin].slot);
    }
  }
  return chosen;
}

void BpeMerger::merge(const MergeCandidate& candidate, TokenId token) {
  std::span<const uint32_t> places = places_[candidate.list].slots;
  std::vector<uint32_t> gathered;
  if (counts_[candidate.pair].list != candidate.list || places_[candidate.list].older != PairCounts::kNoList)
    places = gathered = gather_places(candidate);
  const TokenId left = left_of(candidate.pair);
  const TokenId right = right_of(candidate.pair);
  CountCursor counts(ranges_);
  for (const uint32_t slot : places) {
    if (!slots_.begins(slot, left)) continue;
    const uint32_t behind = slots_.next(slot);
    if (slots_.begins(behind, right)) merge_at(slot, behind, token, counts.at(slot));
  }
  settle(candidate.pair, token);
}

void BpeMerger::merge_at(uint32_t slot, uint32_t behind, TokenId token, uint64_t count) {
  slots_.merge(slot, behind, token);
  corpus_tokens_ -= count;
  const uint64_t length = slots_.length(slot);
  const auto lose = [&](Side& side, TokenId other) { neighbour(side, other).lost += static_cast<int64_t>(count); };
  const auto appear = [&](Side& side, TokenId other, uint32_t where) {
    Neighbour& one = neighbour(side, other);
    one.gained += static_cast<int64_t>(count);
    ++one.appeared;
    side.appearances.push_back({other, where});
  };
  const uint32_t before = slots_.previous(slot);
  if (slots_.is_token(before)) {
    lose(left_, slots_.id(before));
    if (slots_.length(before) + length < max_length_) appear(left_, slots_.id(before), before);
  }
  const uint32_t after = slots_.next(slot);
  if (slots_.is_token(after)) {
    lose(right_, slots_.id(after));
    // A pair of the token with itself belongs to the left side, so that it is settled once.
    Side& side = slots_.id(after) == token ? left_ : right_;
    if (slots_.length(after) + length < max_length_) appear(side, slots_.id(after), slot);
  }
}

BpeMerger::Neighbour& BpeMerger::neighbour(Side& side, TokenId token) {
  const auto index = static_cast<size_t>(token);
  if (index >= side.by_token.size()) side.by_token.resize(std::max(index + 1, side.by_token.size() * 2));
  Neighbour& found = side.by_token[index];
  if (!found.touched) side.touched.push_back(token);
  found.touched = true;
  return found;
}

void BpeMerger::settle(TokenPair merged, TokenId token) {
  const auto pair_with = [&](const Side& side, TokenId other) {
    return &side == &left_ ? token_pair(other, token) : token_pair(token, other);
  };
  for (Side* side : {&left_, &right_}) {
    for (const TokenId other : side->touched) {
      const Neighbour& one = side->by_token[static_cast<size_t>(other)];
      const TokenPair old = side == &left_ ? token_pair(other, left_of(merged)) : token_pair(right_of(merged), other);
      counts_[old].count -= one.lost;
      counts_[pair_with(*side, other)].count += one.gained;
    }
  }
  for (Side* side : {&left_, &right_}) {
    for (const TokenId other : side->touched) {
      Neighbour& one = side->by_token[static_cast<size_t>(other)];
      PairCounts::Slot& pair = counts_[pair_with(*side, other)];
      if (one.appeared == 0 || pair.count <= 0) continue;
      pair.list = one.list = places_.add(one.appeared, pair.list);
      queue_.push({static_cast<uint64_t>(pair.count), pair.pair, pair.list});
    }
    list_appearances(*side);
  }
}

void BpeMerger::list_appearances(Side& side) {
  for (const auto& [other, slot] : side.appearances) {
    Neighbour& one = side.by_token[static_cast<size_t>(other)];
    if (one.list == PairCounts::kNoList) continue;
    const std::span<uint32_t> slots = places_[one.list].slots;
    if (one.listed == 0 || slots[one.listed - 1] != slot) slots[one.listed++] = slot;
  }
  for (const TokenId other : side.touched) {
    Neighbour& one = side.by_token[static_cast<size_t>(other)];
    if (one.list != PairCounts::kNoList) places_[one.list].slots = places_[one.list].slots.first(one.listed);
    one = {};
  }
  side.touched.clear();
  side.appearances.clear();
}

}  // namespace kvzip
