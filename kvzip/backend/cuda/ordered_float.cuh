// Floats as integers of the same order.
#pragma once

#include <cstdint>

namespace kvzip::cuda {

/// a < b exactly where ordered_bits(a) < ordered_bits(b); both zeros are equal. Not for NaN.
__device__ inline uint32_t ordered_bits(float value) {
  const uint32_t bits = __float_as_uint(value + 0.0F);  // -0 becomes +0
  return (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
}

__device__ inline float from_ordered_bits(uint32_t bits) {
  return __uint_as_float((bits & 0x80000000U) != 0 ? bits & 0x7FFFFFFFU : ~bits);
}

}  // namespace kvzip::cuda
