// How much of a chunk is kept while the rest of the document is still to be read (docs/adr/0014). Used by one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kvzip/cache/scores.h"

namespace kvzip {

/// The fraction KEPT of the first chunk, unless more is to be kept of the document: it has nothing to be compared with.
inline constexpr double kFirstShare = 0.5;

/// Keeps of each chunk what is among the best of all that was read so far, so that a chunk gets what it matters. The
/// best are `ratio` of all pairs, and (kFirstShare - ratio) / k more where k chunks were read. Scores read before are
/// known by a histogram, each within 1 %. One for each document.
class ChunkShare {
 public:
  /// `ratio` is the fraction KEPT of the document in the end, in (0, 1].
  explicit ChunkShare(double ratio);

  /// The fraction to KEEP of the next chunk, in (0, 1], where `held` pairs of those before are left: never less than
  /// makes up `ratio` of all that was read.
  double of(const Scores& chunk, size_t held);
  /// How many pairs the best of all that was read so far are.
  double best() const { return (ratio_ + more_) * static_cast<double>(read_); }

 private:
  double ratio_;
  double more_ = 0;  // than the ratio, by now
  size_t chunks_ = 0;
  size_t read_ = 0;               // pairs
  std::vector<uint64_t> counts_;  // of scores by the upper halves of their bits, which ascend with them
};

}  // namespace kvzip
