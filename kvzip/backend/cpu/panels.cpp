#include "kvzip/backend/cpu/panels.h"

#include <algorithm>
#include <array>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kvzip/backend/cpu/panels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kvzip/backend/cpu/convert.h"

HWY_BEFORE_NAMESPACE();
namespace kvzip::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Writes 4 rows of 4 words as 4 columns: out[64 * word + row] = rows[row_words * row + word].
HWY_INLINE void transpose_4x4(const uint32_t* rows, size_t row_words, uint32_t* out) {
#if HWY_TARGET == HWY_SCALAR  // the target without vectors, which has no interleaving
  for (size_t i = 0; i < 16; ++i) out[i % 4 * kPanelRows + i / 4] = rows[i / 4 * row_words + i % 4];
#else
  const hn::CappedTag<uint32_t, 4> d;
  const hn::Repartition<uint64_t, decltype(d)> d64;
  const auto row0 = hn::LoadU(d, rows);
  const auto row1 = hn::LoadU(d, rows + row_words);
  const auto row2 = hn::LoadU(d, rows + 2 * row_words);
  const auto row3 = hn::LoadU(d, rows + 3 * row_words);
  const auto low01 = hn::BitCast(d64, hn::InterleaveLower(d, row0, row1));
  const auto low23 = hn::BitCast(d64, hn::InterleaveLower(d, row2, row3));
  const auto high01 = hn::BitCast(d64, hn::InterleaveUpper(d, row0, row1));
  const auto high23 = hn::BitCast(d64, hn::InterleaveUpper(d, row2, row3));
  hn::StoreU(hn::BitCast(d, hn::InterleaveLower(d64, low01, low23)), d, out);
  hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(d64, low01, low23)), d, out + kPanelRows);
  hn::StoreU(hn::BitCast(d, hn::InterleaveLower(d64, high01, high23)), d, out + 2 * kPanelRows);
  hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(d64, high01, high23)), d, out + 3 * kPanelRows);
#endif
}

/// Transposes kPackRows rows of `words` words (a multiple of 4), row_words apart.
void transpose_rows(const uint32_t* rows, size_t row_words, size_t words, uint32_t* out) {
  for (size_t word = 0; word < words; word += 4) {
    for (size_t row = 0; row < kPackRows; row += 4) {
      transpose_4x4(rows + row * row_words + word, row_words, out + word * kPanelRows + row);
    }
  }
}

}  // namespace kvzip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kvzip {

HWY_EXPORT(transpose_rows);

namespace {

/// Values of a row that are decoded before they are transposed: a multiple of every block, and small enough that 16
/// rows stay in the first-level cache.
constexpr size_t kChunk = 512;

/// Decodes `values` values to words, as f32 or as pairs of bf16.
void decode_words(DType dtype, const std::byte* row, size_t values, bool bf16, uint32_t* words) {
  if (bf16 && dtype == DType::bf16) {
    std::memcpy(words, row, values * sizeof(uint16_t));
  } else if (bf16) {
    alignas(64) std::array<float, kChunk> decoded;
    convert_to_f32(dtype, row, decoded.data(), values);
    convert_from_f32(decoded.data(), DType::bf16, words, values);
  } else {
    convert_to_f32(dtype, row, reinterpret_cast<float*>(words), values);
  }
}

}  // namespace

void pack_panel_rows(const ConstView& weight, size_t first, bool bf16, uint32_t* panels) {
  alignas(64) std::array<uint32_t, kPackRows * kChunk> rows;
  uint32_t* out = panels + first / kPanelRows * kPanelRows * panel_depth(weight.cols, bf16) + first % kPanelRows;
  for (size_t begin = 0; begin < weight.cols; begin += kChunk) {
    const size_t values = std::min(kChunk, weight.cols - begin);
    const size_t words = panel_depth(values, bf16);
    const size_t value_bytes = bf16 ? sizeof(uint16_t) : sizeof(float);
    for (size_t row = 0; row < kPackRows; ++row) {
      uint32_t* const to = rows.data() + row * kChunk;
      const bool exists = first + row < weight.rows;
      const size_t known = exists ? values * value_bytes : 0;
      if (exists) {
        const auto* const from = static_cast<const std::byte*>(rows_of(weight, first + row, 1).data);
        decode_words(weight.dtype, from + row_bytes(weight.dtype, begin), values, bf16, to);
      }
      std::memset(reinterpret_cast<std::byte*>(to) + known, 0, words * sizeof(uint32_t) - known);
    }
    HWY_DYNAMIC_DISPATCH(transpose_rows)(rows.data(), kChunk, words, out);
    out += words * kPanelRows;
  }
}

}  // namespace kvzip
#endif
