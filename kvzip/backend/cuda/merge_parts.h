// Attention over several stretches of keys from the attention over each: out = sum of exp(lse_p - lse) out_p.
// Stateless; returns once the work is queued on `stream`.
#pragma once

#include <cuda_runtime_api.h>

#include "kvzip/backend/backend.h"

namespace kvzip::cuda {

/// One stretch: attention outputs `[tokens, heads * head_dim]` in f16 or bf16, and `[heads, tokens]` f32 logs of the
/// sums of exponentials. Where KV heads took turns in an order of their own, so do these logs.
struct AttendedPart {
  ConstView out;
  const float* log_sums = nullptr;
  const int32_t* turns = nullptr;    ///< `[kv_heads]`: each one's turn; null = their own order, and all have keys
  const int32_t* lengths = nullptr;  ///< `[turns]`: the part has nothing to say of heads of length 0
};

/// What the parts become: attention `[tokens, heads * head_dim]` in f32 or bf16, and where they are wanted `[heads,
/// tokens]` logs of the sums over all parts.
struct MergedParts {
  View out;
  float* log_sums = nullptr;
  size_t head_dim = 0;
  size_t group = 1;  ///< heads of a KV head
};

/// At most 4 parts of one type.
void merge_parts(std::span<const AttendedPart> parts, const MergedParts& merged, cudaStream_t stream);

}  // namespace kvzip::cuda
