#include "kvzip/tensor/dtype.h"

#include <array>

#include "kvzip/base/check.h"

namespace kvzip {
namespace {

constexpr std::array<DTypeInfo, kDTypeCount> kInfo = {{
    {"f32", 1, 4},
    {"f16", 1, 2},
    {"bf16", 1, 2},
    {"q4_0", 32, 18},
    {"q4_1", 32, 20},
    {"q5_0", 32, 22},
    {"q5_1", 32, 24},
    {"q8_0", 32, 34},
    {"q2_k", 256, 84},
    {"q3_k", 256, 110},
    {"q4_k", 256, 144},
    {"q5_k", 256, 176},
    {"q6_k", 256, 210},
    {"iq4_nl", 32, 18},
    {"iq4_xs", 256, 136},
}};

}  // namespace

const DTypeInfo& dtype_info(DType dtype) { return kInfo.at(static_cast<size_t>(dtype)); }

size_t row_bytes(DType dtype, size_t cols) {
  const DTypeInfo& info = dtype_info(dtype);
  check(cols % info.block_values == 0, "a row of a quantised type is a whole number of blocks");
  return cols / info.block_values * info.block_bytes;
}

size_t padded_row_bytes(DType dtype, size_t cols) {
  const DTypeInfo& info = dtype_info(dtype);
  return (cols + info.block_values - 1) / info.block_values * info.block_bytes;
}

}  // namespace kvzip
