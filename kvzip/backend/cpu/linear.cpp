#include "kvzip/backend/cpu/linear.h"

#include <algorithm>

#include "kvzip/backend/cpu/block_dots.h"

namespace kvzip {
namespace {

// Rows up to which dot products are faster than decoding and packing all weights for a matrix product. Measured with
// all layers of SmolLM2 on Zen 5, milliseconds of one thread, dot products / matrix product:
//   Q4_1 by block_dots.h: 16 rows 18.2 / 26.3, 24 rows 25.5 / 30.5, 32 rows 33.4 / 34.3
//   Q4_K by ggml: 4 rows 9.3 / 26.4, 8 rows 19.1 / 28.3 (2.4 more for each row); F16 and BF16 alike; slower decoders
//   later exact: 4 rows 13.2 / 23.8, 8 rows 24.4 / 27.4
constexpr size_t kFewRowsOfBlocks = 30;
constexpr size_t kFewRows = 12;
constexpr size_t kFewRowsExact = 8;

}  // namespace

void Linear::run(const ConstView& x, std::span<const LinearPart> parts, Precision precision) {
  const bool blocks = std::all_of(parts.begin(), parts.end(),
                                  [](const LinearPart& part) { return block_dot(part.weight.dtype) != nullptr; });
  const size_t few = precision == Precision::exact ? kFewRowsExact : blocks ? kFewRowsOfBlocks : kFewRows;
  if (x.rows <= few) {
    rows_.run(x, parts, precision);
  } else {
    gemm_.run(x, parts, precision);
  }
}

}  // namespace kvzip
