// The last step of KVzip's scoring: from the probabilities of some query rows to one maximum per column. Stateless.
#pragma once

#include <cstddef>

#include "kvzip/tensor/dtype.h"

namespace kvzip::attention {

/// best[c] = max(best[c], maximum over rows of probability(row, c) * factors[row]), c < kBlockKeys (Kim et al. 2025,
/// eq. 2). `probabilities` is `[rows, kBlockKeys]` in f32 or bf16, 64-byte aligned, as Tile has them: relative to the
/// row's maximum at that time, which `factors` relates to the row's final sum.
void raise_scores(const void* probabilities, DType dtype, const float* factors, size_t rows, float* best);

}  // namespace kvzip::attention
