// Packed panels against the layout as panels.h states it, word by word.
#include "kvzip/backend/cpu/panels.h"

#include <gtest/gtest.h>

#include "kvzip/backend/cpu/convert.h"
#include "kvzip/backend/cpu/cpu_test_util.h"

namespace kvzip {
namespace {

uint32_t expected_word(const TestWeight& weight, size_t row, size_t word, bool bf16) {
  const auto value = [&](size_t col) { return row < weight.rows && col < weight.cols ? weight.row(row)[col] : 0.0F; };
  uint32_t bits = 0;
  if (bf16) {
    const std::array<float, 2> pair = {value(2 * word), value(2 * word + 1)};
    convert_from_f32(pair.data(), DType::bf16, &bits, 2);
  } else {
    const float single = value(word);
    std::memcpy(&bits, &single, sizeof(bits));
  }
  return bits;
}

TEST(PanelsTest, HoldEveryValueWhereTheLayoutSaysAndZerosElsewhere) {
  Random random(3);
  for (const DType dtype : {DType::f32, DType::bf16, DType::q4_1, DType::q6_k}) {
    for (const bool bf16 : {false, true}) {
      const size_t block = dtype_info(dtype).block_values;
      const size_t cols = block * random.between(1, 1200 / block);
      TestWeight weight(dtype, random.between(1, 150), cols, 1, random);
      for (size_t row = 0; row < weight.rows; ++row) {  // with the library's own decoder, to compare words bit by bit
        convert_to_f32(dtype, weight.bytes.data() + row * weight.stride, weight.decoded.data() + row * cols, cols);
      }
      const size_t depth = panel_depth(cols, bf16);
      const size_t panels = (weight.rows + kPanelRows - 1) / kPanelRows;
      std::vector<uint32_t> packed(panels * depth * kPanelRows, 0xDEADBEEF);
      for (size_t first = 0; first < panels * kPanelRows; first += kPackRows) {
        pack_panel_rows(weight.view(), first, bf16, packed.data());
      }
      for (size_t row = 0; row < panels * kPanelRows; ++row) {
        for (size_t word = 0; word < depth; ++word) {
          const uint32_t found = packed[(row / kPanelRows * depth + word) * kPanelRows + row % kPanelRows];
          ASSERT_EQ(found, expected_word(weight, row, word, bf16))
              << dtype_name(dtype) << (bf16 ? " bf16 " : " f32 ") << weight.rows << "x" << cols << " at " << row << ", "
              << word;
        }
      }
    }
  }
}

}  // namespace
}  // namespace kvzip
