// Weights as oneDNN's AVX-512 matrix products want them: panels of 64 rows, transposed. Written here, straight from the
// quantised rows, because oneDNN's own reordering would need the whole matrix in f32 or bf16 first and take longer.
// Stateless and single-threaded; different groups of rows may be packed at the same time.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kvzip/tensor/view.h"

namespace kvzip {

/// A panel is `[depth][64]` words of 32 bits. A word holds one f32 value, or the bf16 values 2k and 2k + 1 of a row
/// (the first in the low half); depth counts words of a row, rounded up to 16. Rows and words beyond the matrix are
/// zero.
inline constexpr size_t kPanelRows = 64;
/// Rows that are packed at once: they fill whole cache lines of a panel.
inline constexpr size_t kPackRows = 16;

constexpr size_t panel_depth(size_t cols, bool bf16) {
  const size_t words = bf16 ? (cols + 1) / 2 : cols;
  return (words + 15) / 16 * 16;
}

/// Packs rows [first, first + 16) of `weight` (any DType; those beyond its last row as zeros), `first` a multiple
/// of 16. `panels` is the start of the panel that holds row 0.
void pack_panel_rows(const ConstView& weight, size_t first, bool bf16, uint32_t* panels);

}  // namespace kvzip
