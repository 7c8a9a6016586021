// For kernels: values in memory as f32, f16 or bf16, arithmetic in f32, and choosing the instantiation for a DType.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>

#include "kvzip/base/check.h"
#include "kvzip/tensor/view.h"

namespace kvzip::cuda {

__device__ inline float to_f32(float value) { return value; }
__device__ inline float to_f32(__half value) { return __half2float(value); }
__device__ inline float to_f32(__nv_bfloat16 value) { return __bfloat162float(value); }

template <class T>
__device__ inline T from_f32(float value) {
  if constexpr (std::is_same_v<T, float>) {
    return value;
  } else if constexpr (std::is_same_v<T, __half>) {
    return __float2half_rn(value);
  } else {
    return __float2bfloat16_rn(value);
  }
}

/// kCount neighbouring values, moved in accesses of up to 16 bytes.
template <class T, int kCount>
struct alignas(sizeof(T) * kCount > 16 ? 16 : sizeof(T) * kCount) Pack {
  T values[kCount];
};

template <int kCount, class T>
__device__ inline void load(const T* from, float (&to)[kCount]) {
  const Pack<T, kCount> pack = *reinterpret_cast<const Pack<T, kCount>*>(from);
#pragma unroll
  for (int i = 0; i < kCount; ++i) to[i] = to_f32(pack.values[i]);
}

template <int kCount, class T>
__device__ inline void store(const float (&from)[kCount], T* to) {
  Pack<T, kCount> pack;
#pragma unroll
  for (int i = 0; i < kCount; ++i) pack.values[i] = from_f32<T>(from[i]);
  *reinterpret_cast<Pack<T, kCount>*>(to) = pack;
}

/// A matrix whose element type is known: rows are `stride` values apart.
template <class T>
struct Rows {
  T* data;
  size_t stride;

  __device__ T* operator[](size_t row) const { return data + row * stride; }
};

template <class T>
Rows<T> rows_as(const View& view) {
  check(view.stride % sizeof(T) == 0, "rows of a view are a whole number of values apart");
  return {static_cast<T*>(view.data), view.stride / sizeof(T)};
}
template <class T>
Rows<const T> rows_as(const ConstView& view) {
  check(view.stride % sizeof(T) == 0, "rows of a view are a whole number of values apart");
  return {static_cast<const T*>(view.data), view.stride / sizeof(T)};
}

/// True if rows of the view can be read kCount values at a time.
inline bool packs_by(const ConstView& view, size_t count) {
  const size_t bytes = count * row_bytes(view.dtype, 1);
  const size_t alignment = bytes < 16 ? bytes : 16;
  return view.cols % count == 0 && view.stride % alignment == 0 &&
         reinterpret_cast<uintptr_t>(view.data) % alignment == 0;
}

/// Calls body(T()) with the type that belongs to `dtype`: f32, f16 or bf16.
template <class Body>
void with_type(DType dtype, const Body& body) {
  switch (dtype) {
    case DType::f32:
      return body(float());
    case DType::f16:
      return body(__half());
    case DType::bf16:
      return body(__nv_bfloat16());
    default:
      check(false, "values on the GPU are f32, f16 or bf16 here");
  }
}

/// The same for activations: f32 or bf16.
template <class Body>
void with_activation_type(DType dtype, const Body& body) {
  check(dtype == DType::f32 || dtype == DType::bf16, "activations on the GPU are f32 or bf16");
  if (dtype == DType::f32) return body(float());
  body(__nv_bfloat16());
}

inline unsigned blocks_for(size_t items, size_t per_block) {
  return static_cast<unsigned>((items + per_block - 1) / per_block);
}

}  // namespace kvzip::cuda
