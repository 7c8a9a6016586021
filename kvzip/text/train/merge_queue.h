// Candidates for the next merge, the most frequent first, equally frequent ones by the order of their pairs. Belongs to
// one thread.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <vector>

#include "kvzip/text/train/pair_counts.h"

namespace kvzip {

struct MergeCandidate {
  uint64_t count = 0;
  TokenPair pair = 0;
  uint32_t list = 0;  ///< where the pair appeared

  /// Of two candidates the lesser one waits.
  bool operator<(const MergeCandidate& other) const {
    return count != other.count ? count < other.count : pair > other.pair;
  }
};

/// Candidates lie in buckets by the number of bits of their counts, and only the highest bucket is kept as a heap: most
/// pairs are rare, and training often ends before it comes to them.
class MergeQueue {
 public:
  void push(const MergeCandidate& candidate) {
    const auto at = static_cast<size_t>(std::bit_width(candidate.count));
    Bucket& bucket = buckets_[at];
    bucket.candidates.push_back(candidate);
    if (bucket.is_heap) std::push_heap(bucket.candidates.begin(), bucket.candidates.end());
    highest_ = std::max(highest_, at);
  }

  /// Takes the first one out; none where the queue is empty.
  std::optional<MergeCandidate> pop() {
    while (highest_ > 0 && buckets_[highest_].candidates.empty()) --highest_;
    Bucket& bucket = buckets_[highest_];
    if (bucket.candidates.empty()) return std::nullopt;
    if (!bucket.is_heap) std::make_heap(bucket.candidates.begin(), bucket.candidates.end());
    bucket.is_heap = true;
    std::pop_heap(bucket.candidates.begin(), bucket.candidates.end());
    const MergeCandidate first = bucket.candidates.back();
    bucket.candidates.pop_back();
    return first;
  }

 private:
  struct Bucket {
    std::vector<MergeCandidate> candidates;
    bool is_heap = false;
  };
  std::array<Bucket, 65> buckets_;
  size_t highest_ = 0;
};

}  // namespace kvzip
