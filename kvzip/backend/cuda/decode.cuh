// For kernels: single values of rows of any DType. The quantised formats are ggml's; of each, value i of a block that
// starts at `block` (layouts: ggml's quants of blocks of 32, k-quants of blocks of 256 values).
#pragma once

#include "kvzip/backend/cuda/values.cuh"

namespace kvzip::cuda {

__device__ inline float half_at(const uint8_t* at) { return __half2float(*reinterpret_cast<const __half*>(at)); }

/// The 4 bits of value i of 32: the low halves of 16 bytes hold the first 16 values.
__device__ inline int nibble(const uint8_t* bytes, int i) { return i < 16 ? bytes[i] & 0xF : bytes[i - 16] >> 4; }

/// The fifth bits of 32 values.
__device__ inline int fifth_bit(const uint8_t* bytes, int i) { return (bytes[i / 8] >> i % 8 & 1) << 4; }

__device__ inline float nonlinear_4bit(int index) {
  constexpr int8_t kValues[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
  return static_cast<float>(kValues[index]);
}

/// Scale and minimum number j of the eight that q4_k and q5_k pack into 12 bytes of 6 bits each.
__device__ inline void scale_and_min(const uint8_t* packed, int j, float& scale, float& minimum) {
  const int s = j < 4 ? packed[j] & 63 : (packed[j + 4] & 0xF) | (packed[j - 4] >> 6) << 4;
  const int m = j < 4 ? packed[j + 4] & 63 : packed[j + 4] >> 4 | (packed[j] >> 6) << 4;
  scale = static_cast<float>(s);
  minimum = static_cast<float>(m);
}

/// Scale number k of the 16 that q3_k packs into 12 bytes.
__device__ inline float q3_k_scale(const uint8_t* packed, int k) {
  const int low = k < 8 ? packed[k] & 0xF : packed[k - 8] >> 4;
  const int high = packed[8 + k % 4] >> 2 * (k / 4) & 3;
  return static_cast<float>((low | high << 4) - 32);
}

__device__ inline float q2_k_value(const uint8_t* block, int i) {
  const int scale = block[i / 16];
  const int value = block[16 + i / 128 * 32 + i % 32] >> 2 * (i % 128 / 32) & 3;
  return half_at(block + 80) * static_cast<float>((scale & 0xF) * value) -
         half_at(block + 82) * static_cast<float>(scale >> 4);
}

__device__ inline float q3_k_value(const uint8_t* block, int i) {
  const int low = block[32 + i / 128 * 32 + i % 32] >> 2 * (i % 128 / 32) & 3;
  const int high = block[i % 32] >> i / 32 & 1;
  return half_at(block + 108) * q3_k_scale(block + 96, i / 16) * static_cast<float>(low - (high != 0 ? 0 : 4));
}

__device__ inline float q4_k_value(const uint8_t* block, int i) {
  float scale = 0;
  float minimum = 0;
  scale_and_min(block + 4, i / 32, scale, minimum);
  const int value = block[16 + i / 64 * 32 + i % 32] >> 4 * (i / 32 % 2) & 0xF;
  return half_at(block) * scale * static_cast<float>(value) - half_at(block + 2) * minimum;
}

__device__ inline float q5_k_value(const uint8_t* block, int i) {
  float scale = 0;
  float minimum = 0;
  scale_and_min(block + 4, i / 32, scale, minimum);
  const int low = block[48 + i / 64 * 32 + i % 32] >> 4 * (i / 32 % 2) & 0xF;
  const int high = block[16 + i % 32] >> i / 32 & 1;
  return half_at(block) * scale * static_cast<float>(low | high << 4) - half_at(block + 2) * minimum;
}

__device__ inline float q6_k_value(const uint8_t* block, int i) {
  const int quarter = i % 128 / 32;
  const int low = block[i / 128 * 64 + quarter % 2 * 32 + i % 32] >> 4 * (quarter / 2) & 0xF;
  const int high = block[128 + i / 128 * 32 + i % 32] >> 2 * quarter & 3;
  const auto scale = static_cast<int8_t>(block[192 + i / 16]);
  return half_at(block + 208) * static_cast<float>(scale) * static_cast<float>((low | high << 4) - 32);
}

__device__ inline float iq4_xs_value(const uint8_t* block, int i) {
  const int part = i / 32;
  const int high = (block[2] | block[3] << 8) >> 2 * part & 3;
  const int low = block[4 + part / 2] >> 4 * (part % 2) & 0xF;
  return half_at(block) * static_cast<float>((low | high << 4) - 32) *
         nonlinear_4bit(nibble(block + 8 + part * 16, i % 32));
}

template <DType kType>
__device__ inline float block_value(const uint8_t* block, int i) {
  if constexpr (kType == DType::f32) return *reinterpret_cast<const float*>(block);
  if constexpr (kType == DType::f16) return half_at(block);
  if constexpr (kType == DType::bf16) return __bfloat162float(*reinterpret_cast<const __nv_bfloat16*>(block));
  if constexpr (kType == DType::q4_0) return half_at(block) * static_cast<float>(nibble(block + 2, i) - 8);
  if constexpr (kType == DType::q4_1) {
    return half_at(block) * static_cast<float>(nibble(block + 4, i)) + half_at(block + 2);
  }
  if constexpr (kType == DType::q5_0) {
    return half_at(block) * static_cast<float>((nibble(block + 6, i) | fifth_bit(block + 2, i)) - 16);
  }
  if constexpr (kType == DType::q5_1) {
    return half_at(block) * static_cast<float>(nibble(block + 8, i) | fifth_bit(block + 4, i)) + half_at(block + 2);
  }
  if constexpr (kType == DType::q8_0) return half_at(block) * static_cast<float>(static_cast<int8_t>(block[2 + i]));
  if constexpr (kType == DType::q2_k) return q2_k_value(block, i);
  if constexpr (kType == DType::q3_k) return q3_k_value(block, i);
  if constexpr (kType == DType::q4_k) return q4_k_value(block, i);
  if constexpr (kType == DType::q5_k) return q5_k_value(block, i);
  if constexpr (kType == DType::q6_k) return q6_k_value(block, i);
  if constexpr (kType == DType::iq4_nl) return half_at(block) * nonlinear_4bit(nibble(block + 2, i));
  if constexpr (kType == DType::iq4_xs) return iq4_xs_value(block, i);
}

/// What a kernel must know of a format beside its values.
struct BlockShape {
  unsigned values;
  unsigned bytes;
};
inline BlockShape block_shape(DType dtype) {
  const DTypeInfo& info = dtype_info(dtype);
  return {static_cast<unsigned>(info.block_values), static_cast<unsigned>(info.block_bytes)};
}

/// Value `col` of a row.
template <DType kType>
__device__ inline float row_value(const uint8_t* row, unsigned col, BlockShape shape) {
  return block_value<kType>(row + col / shape.values * shape.bytes, static_cast<int>(col % shape.values));
}

/// Calls body.operator()<kType>().
template <class Body>
void with_dtype(DType dtype, const Body& body) {
  switch (dtype) {
    case DType::f32:
      return body.template operator()<DType::f32>();
    case DType::f16:
      return body.template operator()<DType::f16>();
    case DType::bf16:
      return body.template operator()<DType::bf16>();
    case DType::q4_0:
      return body.template operator()<DType::q4_0>();
    case DType::q4_1:
      return body.template operator()<DType::q4_1>();
    case DType::q5_0:
      return body.template operator()<DType::q5_0>();
    case DType::q5_1:
      return body.template operator()<DType::q5_1>();
    case DType::q8_0:
      return body.template operator()<DType::q8_0>();
    case DType::q2_k:
      return body.template operator()<DType::q2_k>();
    case DType::q3_k:
      return body.template operator()<DType::q3_k>();
    case DType::q4_k:
      return body.template operator()<DType::q4_k>();
    case DType::q5_k:
      return body.template operator()<DType::q5_k>();
    case DType::q6_k:
      return body.template operator()<DType::q6_k>();
    case DType::iq4_nl:
      return body.template operator()<DType::iq4_nl>();
    case DType::iq4_xs:
      return body.template operator()<DType::iq4_xs>();
  }
}

}  // namespace kvzip::cuda
