#include <flashinfer/attention/hopper/default_params.cuh>
#include <flashinfer/attention/hopper/prefill_sm90.cuh>
#include <flashinfer/attention/hopper/variants.cuh>

#include "bench/flashinfer_prefill.h"

namespace kvzip::bench {
namespace {

using Params = flashinfer::SinglePrefillParams<cutlass::bfloat16_t, cutlass::bfloat16_t, cutlass::bfloat16_t>;

template <int kHeadDim>
cudaError_t run(Params& params, cudaStream_t stream) {
  return flashinfer::SinglePrefillWithKVCacheDispatched<kHeadDim, kHeadDim, flashinfer::MaskMode::kCausal, false,
                                                        flashinfer::StandardAttention>(params, stream);
}

}  // namespace

bool has_flashinfer(size_t head_dim) { return head_dim == 64 || head_dim == 128 || head_dim == 256; }

cudaError_t run_flashinfer(const FlashinferPrefill& call, cudaStream_t stream) {
  Params params{};
  params.q_ptr = static_cast<cutlass::bfloat16_t*>(call.q);
  params.k_ptr = static_cast<cutlass::bfloat16_t*>(call.k);
  params.v_ptr = static_cast<cutlass::bfloat16_t*>(call.v);
  params.o_ptr = static_cast<cutlass::bfloat16_t*>(call.out);
  params.lse_ptr = call.log_sums;
  params.additional_params.sm_scale = call.scale;
  const auto head_dim = static_cast<int64_t>(call.head_dim);
  params.q_stride_n = params.o_stride_n = static_cast<int64_t>(call.heads) * head_dim;
  params.q_stride_h = params.o_stride_h = head_dim;
  params.k_stride_n = params.v_stride_n = head_dim;
  params.k_stride_h = params.v_stride_h = static_cast<int64_t>(call.rows) * head_dim;
  params.qo_len = static_cast<int>(call.tokens);
  params.kv_len = static_cast<int>(call.rows);
  params.num_qo_heads = static_cast<int>(call.heads);
  params.num_kv_heads = static_cast<int>(call.kv_heads);
  params.group_size = params.num_qo_heads / params.num_kv_heads;
  params.window_left = -1;
  params.causal = true;
  if (call.head_dim == 64) return run<64>(params, stream);
  if (call.head_dim == 128) return run<128>(params, stream);
  return run<256>(params, stream);
}

}  // namespace kvzip::bench
