// Attention of many queries with AVX512_BF16 (vdpbf16ps: f32 sums of products of bf16 pairs), which Highway 1.0 lacks.
// Compiled with those instructions, so everything here is local to this file, and products.cpp enters it only on
// processors that have them. A build without them gets the null at the end.
//
// Pairs: two neighbours along the summed dimension share 32 bits. Packed queries are `[padded_dim / 2]` pairs, packed
// keys
// `[panels][padded_dim / 2][kPanelKeys]`, packed values `[panels][kBlockKeys / 2][value_panel]`.
#include "kvzip/backend/cpu/products.h"

#if defined(__AVX512BF16__)

// g++ 12 takes the "undefined" vectors of its own intrinsics for uninitialised variables.
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

namespace kvzip::attention {
namespace {

constexpr size_t kLanes = 16;

size_t smaller(size_t a, size_t b) { return a < b ? a : b; }
size_t larger(size_t a, size_t b) { return a < b ? b : a; }

/// Loads up to 16 values of a row, zeros where `mask` has none.
template <DType>
__m512 load_f32(const void* row, size_t at, __mmask16 mask);

template <>
__m512 load_f32<DType::f32>(const void* row, size_t at, __mmask16 mask) {
  return _mm512_maskz_loadu_ps(mask, static_cast<const float*>(row) + at);
}

template <>
__m512 load_f32<DType::f16>(const void* row, size_t at, __mmask16 mask) {
  return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, static_cast<const uint16_t*>(row) + at));
}

template <>
__m512 load_f32<DType::bf16>(const void* row, size_t at, __mmask16 mask) {
  const __m256i halves = _mm256_maskz_loadu_epi16(mask, static_cast<const uint16_t*>(row) + at);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}

/// The factor that a block of q8_0 or q4_0 begins with.
__m512 block_scale(const uint8_t* block) {
  uint16_t bits = 0;
  __builtin_memcpy(&bits, block, sizeof(bits));
  return _mm512_broadcastss_ps(_mm_cvtph_ps(_mm_cvtsi32_si128(bits)));
}

// Blocks are padded with zeros; only a mask without lanes may lie beyond the row.
template <>
__m512 load_f32<DType::q8_0>(const void* row, size_t at, __mmask16 mask) {
  if (mask == 0) return _mm512_setzero_ps();
  const uint8_t* block = static_cast<const uint8_t*>(row) + at / 32 * 34;
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block + 2 + at % 32));
  return _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes)), block_scale(block));
}

template <>
__m512 load_f32<DType::q4_0>(const void* row, size_t at, __mmask16 mask) {
  if (mask == 0) return _mm512_setzero_ps();
  const uint8_t* block = static_cast<const uint8_t*>(row) + at / 32 * 18;
  const __m512i pairs = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(block + 2)));
  const __m512i nibbles = at % 32 == 0 ? _mm512_and_si512(pairs, _mm512_set1_epi32(15)) : _mm512_srli_epi32(pairs, 4);
  const __m512i values = _mm512_sub_epi32(nibbles, _mm512_set1_epi32(8));
  return _mm512_mul_ps(_mm512_cvtepi32_ps(values), block_scale(block));
}

/// The lanes of [at, at + 16) that lie below `count`.
__mmask16 mask_below(size_t count, size_t at) {
  const size_t rest = count > at ? count - at : 0;
  return rest >= kLanes ? __mmask16(0xFFFF) : static_cast<__mmask16>((1U << rest) - 1);
}

/// bf16 of 16 values of `low`, then of `high`, each rounded to nearest even.
__m512i to_bf16(__m512 low, __m512 high) { return reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low)); }

void pack_queries(const float* query, size_t head_dim, float factor, void* to) {
  const __m512 factors = _mm512_set1_ps(factor);
  for (size_t d = 0; d < padded_dim(head_dim); d += 2 * kLanes) {
    const __m512 low = load_f32<DType::f32>(query, d, mask_below(head_dim, d));
    const __m512 high = load_f32<DType::f32>(query, d + kLanes, mask_below(head_dim, d + kLanes));
    _mm512_storeu_si512(static_cast<uint16_t*>(to) + d,
                        to_bf16(_mm512_mul_ps(low, factors), _mm512_mul_ps(high, factors)));
  }
}

/// Transposes a 16 x 16 matrix of 32-bit values, in place.
void transpose(__m512i (&rows)[16]) {
  __m512i other[16];
#pragma GCC unroll 8
  for (size_t i = 0; i < 16; i += 2) {
    other[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
    other[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
  }
#pragma GCC unroll 4
  for (size_t i = 0; i < 16; i += 4) {
    rows[i] = _mm512_unpacklo_epi64(other[i], other[i + 2]);
    rows[i + 1] = _mm512_unpackhi_epi64(other[i], other[i + 2]);
    rows[i + 2] = _mm512_unpacklo_epi64(other[i + 1], other[i + 3]);
    rows[i + 3] = _mm512_unpackhi_epi64(other[i + 1], other[i + 3]);
  }
  // Row 4g + c now holds, in its 128-bit block b, column 4b + c of the rows 4g .. 4g + 3.
#pragma GCC unroll 4
  for (size_t c = 0; c < 4; ++c) {
    const __m512i low01 = _mm512_shuffle_i32x4(rows[c], rows[4 + c], 0x88);
    const __m512i low23 = _mm512_shuffle_i32x4(rows[8 + c], rows[12 + c], 0x88);
    const __m512i high01 = _mm512_shuffle_i32x4(rows[c], rows[4 + c], 0xDD);
    const __m512i high23 = _mm512_shuffle_i32x4(rows[8 + c], rows[12 + c], 0xDD);
    other[c] = _mm512_shuffle_i32x4(low01, low23, 0x88);
    other[8 + c] = _mm512_shuffle_i32x4(low01, low23, 0xDD);
    other[4 + c] = _mm512_shuffle_i32x4(high01, high23, 0x88);
    other[12 + c] = _mm512_shuffle_i32x4(high01, high23, 0xDD);
  }
#pragma GCC unroll 16
  for (size_t i = 0; i < 16; ++i) rows[i] = other[i];
}

/// Asks for rows that are packed next. They may lie beyond the last: asking never faults.
void prefetch(const std::byte* rows, size_t bytes) {
  for (size_t i = 0; i < bytes; i += 64) __builtin_prefetch(rows + i);
}

template <DType dtype>
void pack_keys_of(const RowBlock& keys, void* to) {
  const size_t pairs = padded_dim(keys.head_dim) / 2;
  const size_t bytes = padded_row_bytes(dtype, keys.head_dim);
  for (size_t key = 0; key < round_up(keys.count, kPanelKeys); key += kLanes) {
    prefetch(static_cast<const std::byte*>(keys.data) + (key + kLanes) * bytes, kLanes * bytes);
    uint32_t* panel = static_cast<uint32_t*>(to) + key / kPanelKeys * pairs * kPanelKeys + key % kPanelKeys;
    for (size_t d = 0; d < keys.head_dim; d += 2 * kLanes) {
      const __mmask16 low_mask = mask_below(keys.head_dim, d);
      const __mmask16 high_mask = mask_below(keys.head_dim, d + kLanes);
      __m512i rows[kLanes];
#pragma GCC unroll 16
      for (size_t i = 0; i < kLanes; ++i) {
        rows[i] = _mm512_setzero_si512();
        if (key + i >= keys.count) continue;
        const auto* row = static_cast<const std::byte*>(keys.data) + (key + i) * bytes;
        rows[i] = to_bf16(load_f32<dtype>(row, d, low_mask), load_f32<dtype>(row, d + kLanes, high_mask));
      }
      transpose(rows);
#pragma GCC unroll 16
      for (size_t i = 0; i < kLanes; ++i) _mm512_storeu_si512(panel + (d / 2 + i) * kPanelKeys, rows[i]);
    }
  }
}

template <DType dtype>
void pack_values_of(const RowBlock& values, void* to) {
  const size_t width = value_panel(values.head_dim);
  const size_t bytes = padded_row_bytes(dtype, values.head_dim);
  // Word 2i comes from lane i of the even key's half, word 2i + 1 from the odd key's.
  const __m512i lanes = _mm512_cvtepu16_epi32(_mm256_setr_epi16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
  const __m512i interleave =
      _mm512_or_si512(lanes, _mm512_slli_epi32(_mm512_add_epi32(lanes, _mm512_set1_epi32(16)), 16));
  for (size_t key = 0; key < values.count; key += 2) {
    const auto* even = static_cast<const std::byte*>(values.data) + key * bytes;
    prefetch(even + kLanes * bytes, 2 * bytes);
    // Behind an odd number of keys any finite values do: their probabilities are 0.
    const std::byte* odd = key + 1 < values.count ? even + bytes : even;
    for (size_t at = 0; at < values.head_dim; at += width) {
      uint32_t* pairs = static_cast<uint32_t*>(to) + at * (kBlockKeys / 2) + key / 2 * width;
      for (size_t d = 0; d < width; d += kLanes) {
        const __mmask16 mask = mask_below(values.head_dim, at + d);
        const __m512i both = to_bf16(load_f32<dtype>(even, at + d, mask), load_f32<dtype>(odd, at + d, mask));
        _mm512_storeu_si512(pairs + d, _mm512_permutexvar_epi16(interleave, both));
      }
    }
  }
}

void pack_keys(const RowBlock& keys, void* to) {
  if (keys.dtype == DType::f32) return pack_keys_of<DType::f32>(keys, to);
  if (keys.dtype == DType::f16) return pack_keys_of<DType::f16>(keys, to);
  if (keys.dtype == DType::q8_0) return pack_keys_of<DType::q8_0>(keys, to);
  if (keys.dtype == DType::q4_0) return pack_keys_of<DType::q4_0>(keys, to);
  pack_keys_of<DType::bf16>(keys, to);
}

void pack_values(const RowBlock& values, void* to) {
  if (values.dtype == DType::f32) return pack_values_of<DType::f32>(values, to);
  if (values.dtype == DType::f16) return pack_values_of<DType::f16>(values, to);
  if (values.dtype == DType::q8_0) return pack_values_of<DType::q8_0>(values, to);
  if (values.dtype == DType::q4_0) return pack_values_of<DType::q4_0>(values, to);
  pack_values_of<DType::bf16>(values, to);
}

/// C `[kTileRows, columns]` = A `[kTileRows, depth]` * B `[depth, columns]` (+ shrink * C); A and B in pairs along
/// depth.
struct Product {
  const uint32_t* a;
  size_t a_stride;
  const uint32_t* b;
  size_t b_stride;
  size_t depth;
  float* c;
  size_t c_stride;
  const float* shrink;  ///< `[kTileRows]`, or null where C is only written
};

template <size_t kVectors>
void multiply_columns(const Product& product) {
  const uint32_t* a = product.a;
  const uint32_t* b = product.b;
  float* c = product.c;
  __m512 sums[kTileRows][kVectors];
#pragma GCC unroll 6
  for (size_t r = 0; r < kTileRows; ++r) {
#pragma GCC unroll 4
    for (size_t v = 0; v < kVectors; ++v) {
      sums[r][v] = product.shrink == nullptr ? _mm512_setzero_ps()
                                             : _mm512_mul_ps(_mm512_loadu_ps(c + r * product.c_stride + v * kLanes),
                                                             _mm512_set1_ps(product.shrink[r]));
    }
  }
  for (size_t k = 0; k < product.depth; ++k) {
    __m512bh row[kVectors];
#pragma GCC unroll 4
    for (size_t v = 0; v < kVectors; ++v) {
      row[v] = reinterpret_cast<__m512bh>(_mm512_loadu_si512(b + k * product.b_stride + v * kLanes));
    }
#pragma GCC unroll 6
    for (size_t r = 0; r < kTileRows; ++r) {
      const auto factor = reinterpret_cast<__m512bh>(_mm512_set1_epi32(static_cast<int>(a[r * product.a_stride + k])));
#pragma GCC unroll 4
      for (size_t v = 0; v < kVectors; ++v) sums[r][v] = _mm512_dpbf16_ps(sums[r][v], factor, row[v]);
    }
  }
#pragma GCC unroll 6
  for (size_t r = 0; r < kTileRows; ++r) {
#pragma GCC unroll 4
    for (size_t v = 0; v < kVectors; ++v) _mm512_storeu_ps(c + r * product.c_stride + v * kLanes, sums[r][v]);
  }
}

/// `columns` is 16, 32, 48 or 64.
void multiply(const Product& product, size_t columns) {
  switch (columns / kLanes) {
    case 1:
      return multiply_columns<1>(product);
    case 2:
      return multiply_columns<2>(product);
    case 3:
      return multiply_columns<3>(product);
    default:
      return multiply_columns<4>(product);
  }
}

/// 2^x for x <= 0 to 8e-5 relative, a fiftieth of what rounding to bf16 costs.
__m512 exp2_rough(__m512 x) {
  const __m512 part = _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);  // x - floor(x)
  // Minimax on [0, 1) by Remez exchange of the relative error.
  __m512 power = _mm512_fmadd_ps(part, _mm512_set1_ps(0.0780245226F), _mm512_set1_ps(0.226067155F));
  power = _mm512_fmadd_ps(power, part, _mm512_set1_ps(0.69583354F));
  power = _mm512_fmadd_ps(power, part, _mm512_set1_ps(0.999925219F));
  return _mm512_scalef_ps(power, x);  // times 2^floor(x)
}

/// Writes -infinity to what a row does not see of its panels.
void mask_row(const Tile& tile, size_t row, float* logits) {
  const Visible all{tile.begin, tile.end};
  const Visible& seen = tile.visible == nullptr ? all : tile.visible[row];
  for (size_t c = tile.begin; c < seen.begin; ++c) logits[c] = -__builtin_inff();
  for (size_t c = larger(tile.begin, seen.end); c < round_up(tile.end, kPanelKeys); ++c) logits[c] = -__builtin_inff();
}

/// The largest of `at_least` and the logits of some panels.
float find_maximum(const float* logits, size_t begin, size_t end, float at_least) {
  __m512 high = _mm512_set1_ps(at_least);
  for (size_t c = begin; c < end; c += 2 * kLanes) {
    high = _mm512_max_ps(high, _mm512_max_ps(_mm512_load_ps(logits + c), _mm512_load_ps(logits + c + kLanes)));
  }
  return _mm512_reduce_max_ps(high);
}

/// Writes 2^(logit - maximum) of some panels, in bf16; returns their sum.
float exponentiate(const float* logits, size_t begin, size_t end, float maximum, uint16_t* probabilities) {
  const __m512 high = _mm512_set1_ps(maximum);
  __m512 sum = _mm512_setzero_ps();
  for (size_t c = begin; c < end; c += 2 * kLanes) {
    const __m512 low = exp2_rough(_mm512_sub_ps(_mm512_load_ps(logits + c), high));
    const __m512 upper = exp2_rough(_mm512_sub_ps(_mm512_load_ps(logits + c + kLanes), high));
    sum = _mm512_add_ps(sum, _mm512_add_ps(low, upper));
    _mm512_storeu_si512(probabilities + c, to_bf16(low, upper));
  }
  return _mm512_reduce_add_ps(sum);
}

/// Logits `[kTileRows, kBlockKeys]` to probabilities relative to the new maximum; raises maximum and sum and gives the
/// factor by which earlier sums shrink.
void softmax(const Tile& tile, float* logits, float* shrink) {
  const size_t end = round_up(tile.end, kPanelKeys);
  alignas(64) float old_maximum[kLanes] = {};
  alignas(64) float maximum[kLanes] = {};
  alignas(64) float added[kLanes] = {};
  for (size_t row = 0; row < kTileRows; ++row) {
    float* row_logits = logits + row * kBlockKeys;
    mask_row(tile, row, row_logits);
    old_maximum[row] = tile.maximum[row];
    maximum[row] = find_maximum(row_logits, tile.begin, end, tile.maximum[row]);
    added[row] = exponentiate(row_logits, tile.begin, end, maximum[row],
                              static_cast<uint16_t*>(tile.probabilities) + row * kBlockKeys);
  }
  const auto rows = static_cast<__mmask16>((1U << kTileRows) - 1);
  const __m512 fall = _mm512_sub_ps(_mm512_load_ps(old_maximum), _mm512_load_ps(maximum));
  // Exactly 1 where the maximum stays, or the rough power's error would add up over the blocks of a long context.
  const __mmask16 stays = _mm512_cmp_ps_mask(fall, _mm512_setzero_ps(), _CMP_EQ_OQ);
  const __m512 shrinks = _mm512_mask_mov_ps(exp2_rough(fall), stays, _mm512_set1_ps(1.0F));
  const __m512 sums = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(rows, tile.sum), shrinks, _mm512_load_ps(added));
  _mm512_store_ps(shrink, shrinks);
  _mm512_mask_storeu_ps(tile.sum, rows, sums);
  _mm512_mask_storeu_ps(tile.maximum, rows, _mm512_load_ps(maximum));
}

void attend_tile(const Tile& tile) {
  alignas(64) float logits[kTileRows * kBlockKeys];
  alignas(64) float shrink[kLanes];
  const size_t head_dim = tile.keys.head_dim;
  const size_t query_pairs = padded_dim(head_dim) / 2;
  for (size_t first = tile.begin; first < tile.end; first += kPanelKeys) {
    const uint32_t* panel = static_cast<const uint32_t*>(tile.keys.data) + first * query_pairs;
    multiply({static_cast<const uint32_t*>(tile.queries), query_pairs, panel, kPanelKeys, (head_dim + 1) / 2,
              logits + first, kBlockKeys, nullptr},
             kPanelKeys);
  }
  softmax(tile, logits, shrink);
  const size_t width = value_panel(head_dim);
  const size_t first_pair = tile.begin / 2;
  const size_t pairs = (tile.end + 1) / 2 - first_pair;
  const auto* rows = static_cast<const uint32_t*>(tile.probabilities) + first_pair;
  for (size_t d = 0; d < head_dim; d += width) {
    const uint32_t* panel = static_cast<const uint32_t*>(tile.values) + d * (kBlockKeys / 2) + first_pair * width;
    multiply({rows, kBlockKeys / 2, panel, width, pairs, tile.out + d, padded_dim(head_dim), shrink},
             smaller(width, round_up(head_dim - d, kLanes)));
  }
}

}  // namespace

const ProductKernels* bf16_panel_products() {
  static constexpr ProductKernels kKernels = {"bf16 panels", kBlockKeys,  DType::bf16, pack_queries,
                                              pack_keys,     pack_values, attend_tile};
  return &kKernels;
}

}  // namespace kvzip::attention

#else

namespace kvzip::attention {

const ProductKernels* bf16_panel_products() { return nullptr; }

}  // namespace kvzip::attention

#endif
