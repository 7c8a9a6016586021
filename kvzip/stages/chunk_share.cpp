#include "kvzip/stages/chunk_share.h"

#include <algorithm>
#include <bit>
#include <functional>

#include "kvzip/base/check.h"

namespace kvzip {
namespace {

constexpr size_t kSteps = size_t{1} << 15U;  // upper halves of floats, without the sign

size_t step_of(float score) { return std::bit_cast<uint32_t>(score) >> 16U & (kSteps - 1); }

}  // namespace

ChunkShare::ChunkShare(double ratio) : ratio_(ratio), counts_(kSteps) {}

double ChunkShare::of(const Scores& chunk, size_t held) {
  check(!chunk.values.empty(), "a share of some scores");
  std::vector<uint64_t> of_chunk(kSteps);
  for (const float score : chunk.values) ++of_chunk[step_of(score)];
  std::ranges::transform(counts_, of_chunk, counts_.begin(), std::plus());
  ++chunks_;
  read_ += chunk.values.size();

  more_ = std::max(kFirstShare - ratio_, 0.0) / static_cast<double>(chunks_);
  double left = best();  // from the highest step down
  double of_best = 0;    // those of this chunk
  for (size_t step = kSteps; step-- > 0 && left > 0;) {
    const auto all = static_cast<double>(counts_[step]);
    of_best += static_cast<double>(of_chunk[step]) * (all > left ? left / all : 1);
    left -= all;
  }
  const double missing = ratio_ * static_cast<double>(read_) - static_cast<double>(held);
  return std::clamp(std::max(of_best, missing) / static_cast<double>(chunk.values.size()), ratio_ / 100, 1.0);
}

}  // namespace kvzip
