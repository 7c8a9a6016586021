// Conversions of contiguous values between f32 and the 16-bit formats, rounding to nearest even; all dtypes to f32.
// Stateless, single-threaded; safe from any number of threads.
#pragma once

#include <cstddef>

#include "kvzip/tensor/dtype.h"

namespace kvzip {

/// Writes `values` values as `dtype` (f32, f16 or bf16) to `out`. NaN stays NaN, what is too large for f16 becomes
/// infinite.
void convert_from_f32(const float* in, DType dtype, void* out, size_t values);

/// f32 values of `values` values of a row of any DType; `values` is a multiple of the format's block.
void convert_to_f32(DType dtype, const void* row, float* out, size_t values);

/// out[i] = factor * out[i].
void scale_values(float factor, float* out, size_t values);

}  // namespace kvzip
