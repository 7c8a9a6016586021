// Linear layers for a single row, as every decoded token has them: nothing but reading the weights once, as they are
// stored. The first of them are on their way before the kernel before is done. Stateless; work is queued on a stream.
#pragma once

#include <cuda_runtime_api.h>

#include <span>

#include "kvzip/backend/backend.h"

namespace kvzip::cuda {

/// Whether weights of that type are read as they are: bf16, q8_0, q4_0, q4_1, q4_k, q6_k.
bool multiplies_rows_of(DType dtype);

/// True where the input is one row, bf16 or f32 to be normed, and all weights are of such types, with rows that can be
/// read in the widths they need.
bool can_multiply_row(const LinearInput& in, std::span<const LinearPart> parts);

/// Backend::linear(), neighbouring parts of one type in one launch; `normed` isn't used. Parts must not write what
/// others read.
void multiply_row(const LinearInput& in, std::span<const LinearPart> parts, cudaStream_t stream);

/// Whether the same holds for Backend::gated_linear(): in addition both weights are of one type and shape.
bool can_multiply_row_gated(const LinearInput& in, const LinearPart& gate, const LinearPart& up);

/// Backend::gated_linear(): gate.out = activation(in * gate^T) * (in * up^T).
void multiply_row_gated(const LinearInput& in, const LinearPart& gate, const LinearPart& up, Activation activation,
                        cudaStream_t stream);

}  // namespace kvzip::cuda
