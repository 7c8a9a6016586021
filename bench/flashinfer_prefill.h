// FlashInfer's prefill attention for Hopper, for comparison in cuda_prefill_bench. Its headers come from PyPI's
// flashinfer-python (folder flashinfer/data), and no part of kvzip needs them.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>

namespace kvzip::bench {

/// Causal attention of the last `tokens` of `rows` positions in bf16. q and out `[tokens, heads, head_dim]`; k and v
/// `[kv_heads, rows, head_dim]`; log_sums `[tokens, heads]`.
struct FlashinferPrefill {
  void* q = nullptr;
  void* k = nullptr;
  void* v = nullptr;
  void* out = nullptr;
  float* log_sums = nullptr;
  size_t tokens = 0;
  size_t rows = 0;
  size_t heads = 0;
  size_t kv_heads = 0;
  size_t head_dim = 0;
  float scale = 1;
};

/// False where this was built without FlashInfer, or for other head_dims than 64, 128 and 256.
bool has_flashinfer(size_t head_dim);
cudaError_t run_flashinfer(const FlashinferPrefill& call, cudaStream_t stream);

}  // namespace kvzip::bench
