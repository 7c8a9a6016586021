// For products of one row: how a thread reads eight weights at a time of each format that stays packed on the GPU, so
// that neighbouring threads read neighbouring bytes. The formats are ggml's; decode.cuh has the plain version of each.
//
// Every format has
//   Raw      what is read of one, so that reading and computing can lie apart
//   load()   reads unit `unit` of a row
//   Columns  of the unit's values: two groups of four, or eight in a row where kContiguous
//   values() the weights, in the order of the columns
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>

#include "kvzip/backend/cuda/decode.cuh"

namespace kvzip::cuda {

struct Columns {
  int first;   ///< of values 0 to 3
  int second;  ///< of values 4 to 7
};

/// Two bytes at a time: blocks of 18, 34 or 210 bytes begin at even addresses and no better ones.
__device__ inline uint32_t load_halves(const uint8_t* from) {
  const auto* const halves = reinterpret_cast<const uint16_t*>(from);
  return halves[0] | static_cast<uint32_t>(halves[1]) << 16U;
}

__device__ inline float half_of(uint32_t bits) {
  return __half2float(__ushort_as_half(static_cast<unsigned short>(bits & 0xFFFFU)));
}

/// The low halves of four bytes as the first values, the high ones as the others.
__device__ inline void nibbles(uint32_t bytes, float (&values)[8]) {
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    values[i] = static_cast<float>(bytes >> 8 * i & 0xFU);
    values[i + 4] = static_cast<float>(bytes >> (8 * i + 4) & 0xFU);
  }
}

template <DType kType>
struct RowFormat;

template <>
struct RowFormat<DType::bf16> {
  static constexpr bool kContiguous = true;
  using Raw = uint4;
  /// Read once: what is read again stays in the cache.
  static __device__ Raw load(const uint8_t* row, int unit) {
    return __ldcs(reinterpret_cast<const uint4*>(row) + unit);
  }
  static __device__ Columns columns(int unit) { return {8 * unit, 8 * unit + 4}; }
  static __device__ void values(const Raw& raw, int, float (&to)[8]) {
    const auto* const stored = reinterpret_cast<const __nv_bfloat16*>(&raw);
#pragma unroll
    for (int i = 0; i < 8; ++i) to[i] = __bfloat162float(stored[i]);
  }
};

template <>
struct RowFormat<DType::q8_0> {
  static constexpr bool kContiguous = true;
  static constexpr int kBlockBytes = 34;
  struct Raw {
    uint32_t bytes[2];
    uint16_t scale;
  };
  static __device__ Raw load(const uint8_t* row, int unit) {
    const uint8_t* const block = row + unit / 4 * kBlockBytes;
    const uint8_t* const bytes = block + 2 + unit % 4 * 8;
    return {{load_halves(bytes), load_halves(bytes + 4)}, *reinterpret_cast<const uint16_t*>(block)};
  }
  static __device__ Columns columns(int unit) { return {8 * unit, 8 * unit + 4}; }
  static __device__ void values(const Raw& raw, int, float (&to)[8]) {
    const float scale = half_of(raw.scale);
#pragma unroll
    for (int i = 0; i < 8; ++i)
      to[i] = scale * static_cast<float>(static_cast<int8_t>(raw.bytes[i / 4] >> 8 * (i % 4)));
  }
};

/// Q4_0 and Q4_1: four bytes of a block, the halves of each 16 values apart.
template <bool kHasMinimum>
struct Nibbles32 {
  static constexpr bool kContiguous = false;
  static constexpr int kHeadBytes = kHasMinimum ? 4 : 2;
  static constexpr int kBlockBytes = kHeadBytes + 16;
  struct Raw {
    uint32_t bytes;
    uint32_t head;
  };
  static __device__ Raw load(const uint8_t* row, int unit) {
    const uint8_t* const block = row + unit / 4 * kBlockBytes;
    const uint32_t head = kHasMinimum ? load_halves(block) : *reinterpret_cast<const uint16_t*>(block);
    return {load_halves(block + kHeadBytes + unit % 4 * 4), head};
  }
  static __device__ Columns columns(int unit) {
    const int first = unit / 4 * 32 + unit % 4 * 4;
    return {first, first + 16};
  }
  static __device__ void values(const Raw& raw, int, float (&to)[8]) {
    const float scale = half_of(raw.head);
    const float offset = kHasMinimum ? half_of(raw.head >> 16U) : -8.0F * scale;
    nibbles(raw.bytes, to);
#pragma unroll
    for (float& value : to) value = scale * value + offset;
  }
};
template <>
struct RowFormat<DType::q4_0> : Nibbles32<false> {};
template <>
struct RowFormat<DType::q4_1> : Nibbles32<true> {};

template <>
struct RowFormat<DType::q4_k> {
  static constexpr bool kContiguous = false;
  static constexpr int kBlockBytes = 144;
  struct Raw {
    uint32_t bytes;
    uint32_t head[4];  ///< scale and minimum of the block, and 12 bytes of those of its parts
  };
  static __device__ Raw load(const uint8_t* row, int unit) {
    const auto* const words = reinterpret_cast<const uint32_t*>(row + unit / 32 * kBlockBytes);
    return {words[4 + unit % 32], {words[0], words[1], words[2], words[3]}};
  }
  static __device__ Columns columns(int unit) {
    const int first = unit / 32 * 256 + unit % 32 / 8 * 64 + unit % 8 * 4;
    return {first, first + 32};
  }
  static __device__ void values(const Raw& raw, int unit, float (&to)[8]) {
    nibbles(raw.bytes, to);
    const auto* const packed = reinterpret_cast<const uint8_t*>(&raw.head[1]);
    const float block_scale = half_of(raw.head[0]);
    const float block_minimum = half_of(raw.head[0] >> 16U);
#pragma unroll
    for (int part = 0; part < 2; ++part) {
      float scale = 0;
      float minimum = 0;
      scale_and_min(packed, unit % 32 / 8 * 2 + part, scale, minimum);
#pragma unroll
      for (int i = 4 * part; i < 4 * part + 4; ++i) to[i] = block_scale * scale * to[i] - block_minimum * minimum;
    }
  }
};

template <>
struct RowFormat<DType::q6_k> {
  static constexpr bool kContiguous = false;
  static constexpr int kBlockBytes = 210;
  struct Raw {
    uint32_t low;
    uint32_t high;
    int8_t scales[2];
    uint16_t scale;
  };
  /// Half of the block, which quarters of it (this one and the second next), and where in them.
  struct Place {
    int half, quarter, quad;
  };
  static __device__ Place place(int unit) { return {unit % 32 / 16, unit % 16 / 8, unit % 8}; }
  static __device__ Raw load(const uint8_t* row, int unit) {
    const uint8_t* const block = row + unit / 32 * kBlockBytes;
    const Place at = place(unit);
    const auto* const scales =
        reinterpret_cast<const int8_t*>(block + 192) + at.half * 8 + at.quarter * 2 + at.quad / 4;
    return {load_halves(block + at.half * 64 + at.quarter * 32 + at.quad * 4),
            load_halves(block + 128 + at.half * 32 + at.quad * 4),
            {scales[0], scales[4]},
            *reinterpret_cast<const uint16_t*>(block + 208)};
  }
  static __device__ Columns columns(int unit) {
    const Place at = place(unit);
    const int first = unit / 32 * 256 + at.half * 128 + at.quarter * 32 + at.quad * 4;
    return {first, first + 64};
  }
  static __device__ void values(const Raw& raw, int unit, float (&to)[8]) {
    const int shift = 2 * place(unit).quarter;
    const float scale = half_of(raw.scale);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const uint32_t byte = raw.low >> 8 * i;
      const uint32_t high = raw.high >> (8 * i + shift);
      to[i] = scale * static_cast<float>(raw.scales[0]) *
              static_cast<float>(static_cast<int>((byte & 0xFU) | (high & 3U) << 4U) - 32);
      to[i + 4] = scale * static_cast<float>(raw.scales[1]) *
                  static_cast<float>(static_cast<int>((byte >> 4U & 0xFU) | (high >> 4U & 3U) << 4U) - 32);
    }
  }
};

/// True for the formats above.
inline bool has_row_format(DType dtype) {
  return dtype == DType::bf16 || dtype == DType::q8_0 || dtype == DType::q4_0 || dtype == DType::q4_1 ||
         dtype == DType::q4_k || dtype == DType::q6_k;
}

/// Calls body.operator()<kType>() for one of them.
template <class Body>
void with_row_format(DType dtype, const Body& body) {
  switch (dtype) {
    case DType::bf16:
      return body.template operator()<DType::bf16>();
    case DType::q8_0:
      return body.template operator()<DType::q8_0>();
    case DType::q4_0:
      return body.template operator()<DType::q4_0>();
    case DType::q4_1:
      return body.template operator()<DType::q4_1>();
    case DType::q4_k:
      return body.template operator()<DType::q4_k>();
    case DType::q6_k:
      return body.template operator()<DType::q6_k>();
    default:
      check(false, "a row product knows the format");
  }
}

}  // namespace kvzip::cuda
