// Elementwise operations, norms and RoPE of the CUDA backend. What each does is said in backend/backend.h, where the
// shapes are checked; all compute in f32. Stateless; they return once the work is queued on `stream`.
#pragma once

#include <cuda_runtime_api.h>

#include "kvzip/backend/backend.h"

namespace kvzip::cuda {

/// `ids` is device memory.
void embed(const int32_t* ids, const ConstView& table, float scale, const View& out, cudaStream_t stream);
void rms_norm(const ConstView& x, const float* weight, float eps, const View& out, cudaStream_t stream);
void layer_norm(const ConstView& x, const float* weight, const float* bias, float eps, const View& out,
                cudaStream_t stream);
void gated_activation(const View& gate, const ConstView& up, Activation activation, cudaStream_t stream);
void activate(const View& x, Activation activation, cudaStream_t stream);
void add(const View& x, const ConstView& y, cudaStream_t stream);
/// Adds `bias`, `[cols]` f32 device memory, to every row.
void add_bias(const View& x, const float* bias, cudaStream_t stream);
void rope(const View& x, size_t head_dim, const ConstView& cos_sin, RopePairing pairing, cudaStream_t stream);

}  // namespace kvzip::cuda
