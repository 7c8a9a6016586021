// Attention over several stretches of keys from the attention over each: out = sum of exp(lse_p - lse) out_p.
// Stateless; returns once the work is queued on `stream`.
#pragma once

#include <cuda_runtime_api.h>

#include "kvzip/backend/backend.h"

namespace kvzip::cuda {

/// One stretch: attention outputs `[tokens, heads * head_dim]` in f16 or bf16, and `[heads, tokens]` f32 logs of the
/// sums of exponentials.
struct AttendedPart {
  ConstView out;
  const float* log_sums = nullptr;
};

/// At most 4 parts of one type; `out` is f32 or bf16.
void merge_parts(std::span<const AttendedPart> parts, size_t head_dim, const View& out, cudaStream_t stream);

}  // namespace kvzip::cuda
