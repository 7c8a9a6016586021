// Attention and scoring of any segments, one warp's worth of keys at a time, with f32 arithmetic throughout: the
// reference that faster kernels are compared with, exact mode, and whatever no faster kernel takes.
#pragma once

#include <cuda_runtime_api.h>

#include "kvzip/backend/backend.h"

namespace kvzip::cuda {

/// Device memory that attend_plain() wants, for the addresses of all rows and one log-sum-exp per query and head.
size_t plain_scratch_bytes(const AttendArgs& args);

/// Backend::attend(). `heads` is device memory: the KvRows of all segments, one after the other; `log_sums` is device
/// memory of `[tokens, heads]` f32, needed where a score is asked for. Rows may be f32, f16, bf16, q8_0 or q4_0.
void attend_plain(const AttendArgs& args, const KvRows* heads, float* log_sums, cudaStream_t stream);

}  // namespace kvzip::cuda
