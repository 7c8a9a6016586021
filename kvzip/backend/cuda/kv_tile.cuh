// 16 rows of keys or values in shared memory, as one warp multiplies with them: how rows of each type get there, and
// how they become the operands of tensor core products. Types: HalfTile (f16, bf16) and QuantTile (q8_0, q4_0).
//
// A product's inner dimension may be walked in any order that both operands agree on, and so may output columns. Each
// tile type picks the order in which a lane's values lie close together: query_dims() and value_dim() name it.
#pragma once

#include "kvzip/backend/cuda/mma.cuh"

namespace kvzip::cuda {

inline constexpr int kTileKeys = 16;

/// Rows of f16 or bf16, in shared memory at a stride of an odd number of 16-byte chunks, so that eight rows' chunks of
/// one column lie in different banks.
template <class T, int kHeadDim>
struct HalfTile {
  using Element = T;
  static constexpr int kDims = kHeadDim;
  static constexpr int kRowBytes = kHeadDim * 2;
  static constexpr int kChunks = kRowBytes / 16;
  static constexpr int kStride = (kChunks | 1) * 16;
  static constexpr int kBytes = kTileKeys * kStride;
  static constexpr bool kPairsAreNeighbours = true;  ///< query_dim() of a pair

  /// Starts the copy of `rows` rows (clamped to [0, 16]), the rest zeros.
  static __device__ void copy(char* tile, const char* from, int rows, int lane) {
#pragma unroll
    for (int i = 0; i < (kTileKeys * kChunks + 31) / 32; ++i) {
      const int chunk = lane + 32 * i;
      const int row = chunk / kChunks;
      const bool valid = row < rows;
      if (kTileKeys * kChunks % 32 != 0 && row >= kTileKeys) break;
      copy_16_async(tile + row * kStride + chunk % kChunks * 16, valid ? from + chunk * 16 : from, valid ? 16 : 0);
    }
  }

  /// First dims of the two pairs (half 0 and 1) that lane column `c` multiplies in step `step`, and the second's
  /// distance from the first.
  static __device__ int query_dim(int step, int half, int c, int second) {
    return step * 16 + half * 8 + 2 * c + second;
  }
  /// The dim of column `column` of value tile `tile`.
  static __device__ int value_dim(int tile, int column) { return tile * 8 + column; }

  /// logits[t] += queries * keys 8t .. 8t + 7.
  static __device__ void add_logits(const uint32_t (&queries)[kDims / 16][4], const char* tile, int lane,
                                    float (&logits)[2][4]) {
    const char* row = tile + (lane % 8 + lane / 16 * 8) * kStride + lane / 8 % 2 * 16;
#pragma unroll
    for (int step = 0; step < kDims / 16; ++step) {
      uint32_t keys[4];
      load_matrices(keys, row + step * 32);
      multiply_add<T>(logits[0], queries[step], keys[0], keys[1]);
      multiply_add<T>(logits[1], queries[step], keys[2], keys[3]);
    }
  }

  /// out[t] += weights * dims of value tile t.
  static __device__ void add_values(const uint32_t (&weights)[4], const char* tile, int lane,
                                    float (&out)[kDims / 8][4]) {
    const char* row = tile + lane % 16 * kStride + lane / 16 * 16;
#pragma unroll
    for (int pair = 0; pair < kDims / 16; ++pair) {
      uint32_t values[4];
      load_matrices_transposed(values, row + pair * 32);
      multiply_add<T>(out[2 * pair], weights, values[0], values[1]);
      multiply_add<T>(out[2 * pair + 1], weights, values[2], values[3]);
    }
  }
};

/// 32 bits at any even address.
__device__ inline uint32_t load_word(const char* at) {
  const auto* halves = reinterpret_cast<const uint16_t*>(at);
  return halves[0] | static_cast<uint32_t>(halves[1]) << 16;
}

__device__ inline uint32_t scaled(uint32_t pair, float offset, __half2 scale) {
  const __half2 value = __hmul2(__hsub2(*reinterpret_cast<const __half2*>(&pair), __float2half2_rn(offset)), scale);
  return *reinterpret_cast<const uint32_t*>(&value);
}

/// Blocks of 32 values of `kBits` bits after an f16 scale (ggml's q8_0 and q4_0), in shared memory as in global memory.
/// Values become f16: the bits go into the mantissa of 1024, from which 1024 + the type's zero is then subtracted.
template <int kBits, int kHeadDim>
struct QuantTile {
  using Element = __half;
  static constexpr int kBlocks = (kHeadDim + 31) / 32;
  static constexpr int kDims = kBlocks * 32;
  static constexpr int kBlockBytes = 2 + 4 * kBits;
  static constexpr int kRowBytes = kBlocks * kBlockBytes;
  static constexpr int kBytes = kTileKeys * kRowBytes;
  static constexpr bool kPairsAreNeighbours = kBits == 8;
  static constexpr float kZero = 1024 + (kBits == 8 ? 128 : 8);

  static __device__ void copy(char* tile, const char* from, int rows, int lane) {
    const int bytes = max(rows, 0) * kRowBytes;
#pragma unroll
    for (int i = 0; i < (kRowBytes + 31) / 32; ++i) {
      const int at = (lane + 32 * i) * 16;
      if (kRowBytes % 32 != 0 && at >= kBytes) break;
      const int valid = min(max(bytes - at, 0), 16);
      copy_16_async(tile + at, valid > 0 ? from + at : from, valid);
    }
  }

  // A lane takes octets c * kDims / 32 + i, i < kDims / 32, two steps each: 8 dims whose bits are neighbours.
  static __device__ int query_dim(int step, int half, int c, int second) {
    const int octet = c * (kDims / 32) + step / 2;
    if (kBits == 8) return octet * 8 + step % 2 * 4 + half * 2 + second;
    return octet / 4 * 32 + octet % 4 * 4 + step % 2 * 16 + half + 2 * second;
  }
  // A column takes quads column * kDims / 32 + i, i < kDims / 32, four tiles each.
  static __device__ int value_dim(int tile, int column) {
    const int quad = column * (kDims / 32) + tile / 4;
    const int t = tile % 4;
    if (kBits == 8) return quad / 8 * 32 + quad % 8 * 4 + t;
    return quad / 8 * 32 + quad % 8 * 2 + t % 2 + t / 2 * 16;
  }

  /// The four pairs of an octet, in the order of query_dim().
  static __device__ void load_octet(const char* row, int octet, uint32_t (&pairs)[4]) {
    const char* block = row + octet / 4 * kBlockBytes;
    const __half2 scale = __half2half2(*reinterpret_cast<const __half*>(block));
    if constexpr (kBits == 8) {
      const char* at = block + 2 + octet % 4 * 8;
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const uint32_t two = reinterpret_cast<const uint16_t*>(at)[i] ^ 0x8080U;
        pairs[i] = scaled(__byte_perm(two, 0x64646464U, 0x4140), kZero, scale);
      }
    } else {
      const uint32_t eight = load_word(block + 2 + octet % 4 * 4);
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        // Low nibbles of bytes 0 and 2, then of 1 and 3; high nibbles likewise.
        const uint32_t two = eight >> (i % 2 * 8 + i / 2 * 4) & 0x000F000FU;
        pairs[i] = scaled(two | 0x64006400U, kZero, scale);
      }
    }
  }

  static __device__ void add_logits(const uint32_t (&queries)[kDims / 16][4], const char* tile, int lane,
                                    float (&logits)[2][4]) {
    const char* row = tile + lane / 4 * kRowBytes;
#pragma unroll
    for (int i = 0; i < kDims / 32; ++i) {
      const int octet = lane % 4 * (kDims / 32) + i;
#pragma unroll
      for (int t = 0; t < 2; ++t) {
        uint32_t pairs[4];
        load_octet(row + t * 8 * kRowBytes, octet, pairs);
        multiply_add<__half>(logits[t], queries[2 * i], pairs[0], pairs[1]);
        multiply_add<__half>(logits[t], queries[2 * i + 1], pairs[2], pairs[3]);
      }
    }
  }

  /// One quad of two rows: pairs[t] holds both rows' value of the quad's t-th dim.
  static __device__ void load_quads(const char* row, int quad, uint32_t (&pairs)[4]) {
    const char* a = row + quad / 8 * kBlockBytes;
    const char* b = a + kRowBytes;
    const __half2 scale = __halves2half2(*reinterpret_cast<const __half*>(a), *reinterpret_cast<const __half*>(b));
    if constexpr (kBits == 8) {
      const uint32_t of_a = load_word(a + 2 + quad % 8 * 4) ^ 0x80808080U;
      const uint32_t of_b = load_word(b + 2 + quad % 8 * 4) ^ 0x80808080U;
#pragma unroll
      for (int t = 0; t < 4; ++t) {
        const uint32_t two = __byte_perm(of_a, of_b, t | (4 + t) << 8) & 0x00FF00FFU;
        pairs[t] = scaled(two | 0x64006400U, kZero, scale);
      }
    } else {
      const uint32_t of_a = *reinterpret_cast<const uint16_t*>(a + 2 + quad % 8 * 2);
      const uint32_t of_b = *reinterpret_cast<const uint16_t*>(b + 2 + quad % 8 * 2);
      const uint32_t both = of_a | of_b << 16;
#pragma unroll
      for (int t = 0; t < 4; ++t) {
        const uint32_t two = both >> (t % 2 * 8 + t / 2 * 4) & 0x000F000FU;
        pairs[t] = scaled(two | 0x64006400U, kZero, scale);
      }
    }
  }

  static __device__ void add_values(const uint32_t (&weights)[4], const char* tile, int lane,
                                    float (&out)[kDims / 8][4]) {
    const char* row = tile + lane % 4 * 2 * kRowBytes;
#pragma unroll
    for (int i = 0; i < kDims / 32; ++i) {
      const int quad = lane / 4 * (kDims / 32) + i;
      uint32_t low[4];
      uint32_t high[4];
      load_quads(row, quad, low);
      load_quads(row + 8 * kRowBytes, quad, high);
#pragma unroll
      for (int t = 0; t < 4; ++t) multiply_add<__half>(out[4 * i + t], weights, low[t], high[t]);
    }
  }
};

}  // namespace kvzip::cuda
