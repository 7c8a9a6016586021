// The quantised weight formats as ggml defines them: decoding, encoding and dot products of single rows. The only file
// of the library that includes ggml's headers is ggml_traits.cpp. Stateless; safe from any number of threads.
#pragma once

#include <cstddef>

#include "kvzip/tensor/dtype.h"

namespace kvzip {

/// Which encoding of the activations a weight format multiplies with (several share one). The value is ggml's own
/// number.
enum class ActivationFormat : int {};

/// Signature of ggml's dot products: `*sum` = dot of `values` weights at `weight` with the encoded activations.
/// The two sizes and the strides serve kernels that do several rows at once, which no x86 kernel is: pass 0 and 1.
using RowDot = void (*)(int values, float* sum, size_t sum_stride, const void* weight, size_t weight_stride,
                        const void* activations, size_t activation_stride, int rows);

RowDot ggml_row_dot(DType weight);
ActivationFormat ggml_activation_format(DType weight);
size_t ggml_activation_bytes(ActivationFormat format, size_t values);
void ggml_encode_activations(ActivationFormat format, const float* in, void* out, size_t values);

/// f32 values of one row; `values` is a multiple of the format's block.
void ggml_decode_row(DType dtype, const void* row, float* out, size_t values);
/// The nearest row of `dtype`, as ggml's plain quantisers choose it.
void ggml_encode_row(DType dtype, const float* in, void* row, size_t values);

}  // namespace kvzip
