// The kernels of block_dots.h. Compiled with AVX-512 VNNI, so everything here is local to this file, and block_dots.cpp
// enters it only on processors that have it. A build without it gets the nulls at the end.
#include "kvzip/backend/cpu/block_dots.h"

#if defined(__AVX512VNNI__)

#if !defined(__clang__)
// g++ 12 takes the "undefined" vectors of its own intrinsics for uninitialised variables.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

namespace kvzip {
namespace {

/// A block is an f16 scale d, an f16 minimum m in some formats, and unsigned values u of 4, 5 or 8 bits: d * u + m. In
/// formats without a minimum u is offset by `zero`, so that m = -d * zero. (Q8_0 is signed; the offset makes it
/// unsigned.)
struct BlockFormat {
  size_t bytes;
  size_t values;      ///< where the values begin: 16 bytes of two 4-bit values each (i and i + 16), or 32 bytes
  size_t fifth_bits;  ///< where the fifth bits of all 32 values are; 0 = nowhere
  bool minimum;
  float zero;
};

constexpr BlockFormat kQ40 = {18, 2, 0, false, 8};
constexpr BlockFormat kQ41 = {20, 4, 0, true, 0};
constexpr BlockFormat kQ50 = {22, 6, 2, false, 16};
constexpr BlockFormat kQ51 = {24, 8, 4, true, 0};
constexpr BlockFormat kQ80 = {34, 2, 0, false, 128};

/// Four blocks, laid out as ActivationQuad is.
struct WeightQuad {
  __m512i low;
  __m512i high;
  __m512 scale;
  __m512 minimum;
};

/// The first `count` blocks of a quad; those beyond read nothing and count as zeros.
class Blocks {
 public:
  Blocks(const std::byte* data, size_t bytes, size_t count) : data_(data), bytes_(bytes), count_(count) {}

  __m512i chunks_at(size_t offset) const {
    const __m256i first = _mm256_inserti128_si256(_mm256_castsi128_si256(chunk(0, offset)), chunk(1, offset), 1);
    const __m256i second = _mm256_inserti128_si256(_mm256_castsi128_si256(chunk(2, offset)), chunk(3, offset), 1);
    return _mm512_inserti64x4(_mm512_castsi256_si512(first), second, 1);
  }
  __m128i words_at(size_t offset) const {
    return _mm_setr_epi32(word(0, offset), word(1, offset), word(2, offset), word(3, offset));
  }

 private:
  __m128i chunk(size_t block, size_t offset) const {
    if (block >= count_) return _mm_setzero_si128();
    return _mm_loadu_si128(reinterpret_cast<const __m128i_u*>(data_ + block * bytes_ + offset));
  }
  int word(size_t block, size_t offset) const {
    int bits = 0;
    if (block < count_) __builtin_memcpy(&bits, data_ + block * bytes_ + offset, sizeof(bits));
    return bits;
  }

  const std::byte* data_;
  size_t bytes_;
  size_t count_;
};

/// Adds 16 to the values whose fifth bit is set. `words` holds the 32 bits of each block, value 0 lowest.
void add_fifth_bits(__m128i words, WeightQuad& quad) {
  // Gathers the lower halves of the four words in 64 bits, then the upper halves.
  const __m128i order = _mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15);
  const __m128i halves = _mm_shuffle_epi8(words, order);
  const auto low = static_cast<__mmask64>(_mm_cvtsi128_si64(halves));
  const auto high = static_cast<__mmask64>(_mm_extract_epi64(halves, 1));
  const __m512i sixteen = _mm512_set1_epi8(16);
  quad.low = _mm512_mask_add_epi8(quad.low, low, quad.low, sixteen);
  quad.high = _mm512_mask_add_epi8(quad.high, high, quad.high, sixteen);
}

template <BlockFormat kFormat>
WeightQuad load_quad(const std::byte* data, size_t count) {
  const Blocks blocks(data, kFormat.bytes, count);
  WeightQuad quad;
  quad.low = blocks.chunks_at(kFormat.values);
  if constexpr (kFormat.zero == 128) {
    const __m512i flip_sign = _mm512_set1_epi8(static_cast<char>(0x80));
    quad.high = _mm512_xor_si512(blocks.chunks_at(kFormat.values + 16), flip_sign);
    quad.low = _mm512_xor_si512(quad.low, flip_sign);
  } else {
    const __m512i nibble = _mm512_set1_epi8(15);
    quad.high = _mm512_and_si512(_mm512_srli_epi16(quad.low, 4), nibble);
    quad.low = _mm512_and_si512(quad.low, nibble);
  }
  if constexpr (kFormat.fifth_bits != 0) add_fifth_bits(blocks.words_at(kFormat.fifth_bits), quad);
  // Each word of a header is the scale and, in the upper half, the minimum or something that is not used.
  const __m512 headers = _mm512_castps256_ps512(_mm256_cvtph_ps(blocks.words_at(0)));
  quad.scale = _mm512_permutexvar_ps(_mm512_setr_epi32(0, 0, 0, 0, 2, 2, 2, 2, 4, 4, 4, 4, 6, 6, 6, 6), headers);
  if constexpr (kFormat.minimum) {
    quad.minimum = _mm512_permutexvar_ps(_mm512_setr_epi32(1, 1, 1, 1, 3, 3, 3, 3, 5, 5, 5, 5, 7, 7, 7, 7), headers);
  } else {
    quad.minimum = _mm512_mul_ps(quad.scale, _mm512_set1_ps(-kFormat.zero));
  }
  return quad;
}

/// Two chains of sums per row of activations, so that an addition need not wait for the one before it.
template <size_t kTokens>
struct Sums {
  __m512 products[kTokens];
  __m512 minima[kTokens];
};

template <size_t kTokens>
void add_quad(const WeightQuad& weights, const ActivationQuad* activations, size_t token_stride, Sums<kTokens>& sums) {
  for (size_t token = 0; token < kTokens; ++token) {
    const ActivationQuad& quad = activations[token * token_stride];
    const __m512i low = _mm512_dpbusd_epi32(_mm512_setzero_si512(), weights.low, _mm512_load_si512(quad.low));
    const __m512 dot = _mm512_cvtepi32_ps(_mm512_dpbusd_epi32(low, weights.high, _mm512_load_si512(quad.high)));
    const __m512 scale = _mm512_mul_ps(weights.scale, _mm512_load_ps(quad.scale));
    sums.products[token] = _mm512_fmadd_ps(dot, scale, sums.products[token]);
    sums.minima[token] = _mm512_fmadd_ps(weights.minimum, _mm512_load_ps(quad.sum), sums.minima[token]);
  }
}

template <BlockFormat kFormat, size_t kTokens>
void dot_tokens(const BlockDotArgs& args) {
  const size_t whole_quads = args.values / kQuadValues;
  const size_t rest = args.values % kQuadValues / 32;
  const size_t token_stride = whole_quads + (rest > 0 ? 1 : 0);
  for (size_t row = 0; row < args.rows; ++row) {
    Sums<kTokens> sums;
    for (size_t token = 0; token < kTokens; ++token) sums.products[token] = sums.minima[token] = _mm512_setzero_ps();
    const std::byte* weights = args.weights + row * args.stride;
    for (size_t quad = 0; quad < whole_quads; ++quad, weights += 4 * kFormat.bytes) {
      add_quad(load_quad<kFormat>(weights, 4), args.activations + quad, token_stride, sums);
    }
    if (rest > 0) add_quad(load_quad<kFormat>(weights, rest), args.activations + whole_quads, token_stride, sums);
    for (size_t token = 0; token < kTokens; ++token) {
      args.sums[row * kTokens + token] = _mm512_reduce_add_ps(_mm512_add_ps(sums.products[token], sums.minima[token]));
    }
  }
}

template <BlockFormat kFormat>
void dot(const BlockDotArgs& args) {
  static constexpr BlockDot kByTokens[kDotTokens] = {
      dot_tokens<kFormat, 1>, dot_tokens<kFormat, 2>, dot_tokens<kFormat, 3>, dot_tokens<kFormat, 4>,
      dot_tokens<kFormat, 5>, dot_tokens<kFormat, 6>, dot_tokens<kFormat, 7>, dot_tokens<kFormat, 8>};
  kByTokens[args.tokens - 1](args);
}

void encode_block(const float* in, size_t block, ActivationQuad& quad) {
  const __m512 low = _mm512_loadu_ps(in);
  const __m512 high = _mm512_loadu_ps(in + 16);
  const float largest = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(low), _mm512_abs_ps(high)));
  const float scale = largest / 127;
  const __m512 steps = _mm512_set1_ps(largest == 0 ? 0.0F : 127 / largest);
  const __m512i low_ints = _mm512_cvtps_epi32(_mm512_mul_ps(low, steps));
  const __m512i high_ints = _mm512_cvtps_epi32(_mm512_mul_ps(high, steps));
  _mm_store_si128(reinterpret_cast<__m128i*>(quad.low + 16 * block), _mm512_cvtepi32_epi8(low_ints));
  _mm_store_si128(reinterpret_cast<__m128i*>(quad.high + 16 * block), _mm512_cvtepi32_epi8(high_ints));
  const auto sum = static_cast<float>(_mm512_reduce_add_epi32(_mm512_add_epi32(low_ints, high_ints)));
  _mm_store_ps(quad.scale + 4 * block, _mm_set1_ps(scale));
  _mm_store_ps(quad.sum + 4 * block, _mm_set_ss(scale * sum));
}

void encode(const float* in, size_t values, ActivationQuad* out) {
  const size_t blocks = values / 32;
  out[quads_of(values) - 1] = {};  // the blocks that the last quad may lack
  for (size_t block = 0; block < blocks; ++block) encode_block(in + 32 * block, block % 4, out[block / 4]);
}

}  // namespace

BlockDot vnni_block_dot(DType weight) {
  switch (weight) {
    case DType::q4_0:
      return dot<kQ40>;
    case DType::q4_1:
      return dot<kQ41>;
    case DType::q5_0:
      return dot<kQ50>;
    case DType::q5_1:
      return dot<kQ51>;
    case DType::q8_0:
      return dot<kQ80>;
    default:
      return nullptr;
  }
}

EncodeQuads vnni_encode_quads() { return encode; }

}  // namespace kvzip

#else

namespace kvzip {

BlockDot vnni_block_dot(DType) { return nullptr; }
EncodeQuads vnni_encode_quads() { return nullptr; }

}  // namespace kvzip

#endif
