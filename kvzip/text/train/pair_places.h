// Where pairs of tokens appear: lists of slots, kept for good in blocks of memory. A slot is listed at most three times
// in all, so the blocks stay proportional to the corpus. Belongs to one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace kvzip {

/// Lists of slots in ascending order, numbered from 0. Each may name an older list of the same pair.
class PairPlaces {
 public:
  struct List {
    std::span<uint32_t> slots;
    uint32_t older = 0;
  };

  /// A list of `size` slots to be filled.
  uint32_t add(size_t size, uint32_t older) {
    lists_.push_back({take(size), older});
    return static_cast<uint32_t>(lists_.size() - 1);
  }
  List& operator[](uint32_t list) { return lists_[list]; }

 private:
  std::span<uint32_t> take(size_t size) {
    if (size > left_) {
      left_ = std::max(size, kBlock);
      blocks_.push_back(std::make_unique_for_overwrite<uint32_t[]>(left_));
      next_ = blocks_.back().get();
    }
    const std::span<uint32_t> taken(next_, size);
    next_ += size;
    left_ -= size;
    return taken;
  }

  static constexpr size_t kBlock = size_t{1} << 18;
  std::vector<List> lists_;
  std::vector<std::unique_ptr<uint32_t[]>> blocks_;
  uint32_t* next_ = nullptr;
  size_t left_ = 0;
};

}  // namespace kvzip
