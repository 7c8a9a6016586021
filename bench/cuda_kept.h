// How unevenly heads keep rows, for the CUDA benchmarks.
#pragma once

#include <cstddef>

namespace kvzip::bench {

/// Rows kept of 1,000 by the `pair` rule at 0.3 in each of SmolLM2's 30 x 3 heads (tests/golden/smollm2_two_chunks).
inline constexpr int kKeptOfThousand[] = {
    198, 216, 155, 364, 183, 158, 227, 385, 159, 165, 144,  59,  103, 107, 153, 112, 145, 213, 145, 105, 103, 110, 105,
    975, 477, 137, 89,  178, 78,  100, 113, 121, 108, 259,  218, 139, 80,  123, 83,  64,  55,  70,  292, 968, 101, 118,
    158, 601, 236, 56,  40,  661, 996, 182, 189, 128, 1000, 30,  625, 22,  296, 980, 998, 794, 644, 780, 428, 560, 694,
    775, 389, 696, 719, 525, 735, 284, 31,  112, 416, 431,  67,  278, 145, 84,  302, 166, 145, 339, 255, 250};

/// Rows of `context` that a model's head number `head` (of all layers) keeps at 0.3; the heads of one with more go
/// around.
inline size_t kept_of_golden(size_t context, size_t head) {
  constexpr size_t kHeads = sizeof(kKeptOfThousand) / sizeof(int);
  return context * static_cast<size_t>(kKeptOfThousand[head % kHeads]) / 1000;
}

}  // namespace kvzip::bench
