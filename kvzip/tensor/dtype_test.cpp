#include "kvzip/tensor/dtype.h"

#include <gtest/gtest.h>

#include <set>

#include "kvzip/base/error.h"

namespace kvzip {
namespace {

/// A block's bytes, added up from the parts that each format has: scales (f16 or packed), high bits, quants.
struct Layout {
  DType dtype;
  const char* name;
  size_t values;
  size_t bytes;
};

constexpr Layout kLayouts[] = {
    {DType::f32, "f32", 1, 4},
    {DType::f16, "f16", 1, 2},
    {DType::bf16, "bf16", 1, 2},
    {DType::q4_0, "q4_0", 32, 2 + 32 / 2},
    {DType::q4_1, "q4_1", 32, 2 + 2 + 32 / 2},
    {DType::q5_0, "q5_0", 32, 2 + 32 / 8 + 32 / 2},
    {DType::q5_1, "q5_1", 32, 2 + 2 + 32 / 8 + 32 / 2},
    {DType::q8_0, "q8_0", 32, 2 + 32},
    {DType::q2_k, "q2_k", 256, 256 / 16 + 256 / 4 + 2 + 2},
    {DType::q3_k, "q3_k", 256, 256 / 8 + 256 / 4 + 12 + 2},
    {DType::q4_k, "q4_k", 256, 2 + 2 + 12 + 256 / 2},
    {DType::q5_k, "q5_k", 256, 2 + 2 + 12 + 256 / 8 + 256 / 2},
    {DType::q6_k, "q6_k", 256, 256 / 2 + 256 / 4 + 256 / 16 + 2},
    {DType::iq4_nl, "iq4_nl", 32, 2 + 32 / 2},
    {DType::iq4_xs, "iq4_xs", 256, 2 + 2 + 256 / 64 + 256 / 2},
};

TEST(DType, BlocksAddUp) {
  std::set<DType> seen;
  for (const Layout& layout : kLayouts) {
    EXPECT_EQ(dtype_name(layout.dtype), layout.name);
    EXPECT_EQ(dtype_info(layout.dtype).block_values, layout.values) << layout.name;
    EXPECT_EQ(dtype_info(layout.dtype).block_bytes, layout.bytes) << layout.name;
    EXPECT_EQ(row_bytes(layout.dtype, 7 * layout.values), 7 * layout.bytes) << layout.name;
    EXPECT_EQ(row_bytes(layout.dtype, 0), 0U);
    if (layout.values > 1) {
      EXPECT_THROW(row_bytes(layout.dtype, layout.values + 1), Error) << layout.name;
    }
    seen.insert(layout.dtype);
  }
  EXPECT_EQ(seen.size(), kDTypeCount);
}

}  // namespace
}  // namespace kvzip
