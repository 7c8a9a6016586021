#include <algorithm>
#include <cmath>
#include <numbers>

#include "kvzip/backend/cuda/cuda_check.h"
#include "kvzip/backend/cuda/score.h"
#include "kvzip/backend/cuda/score_kernels.cuh"
#include "kvzip/base/check.h"

namespace kvzip::cuda {
namespace {

using Step = void (*)(ScoreParams);

struct Kernels {
  DType dtype;
  size_t head_dim;
  Step pack_queries;
  Step lse;
  Step column_max;
  int shared_bytes;
  int blocks_per_processor;
};

template <class Element, int kHeadDim>
constexpr Kernels kernels(DType dtype) {
  using Shape = ScoreShape<kHeadDim>;
  return {dtype,
          kHeadDim,
          pack_queries_kernel<Element, kHeadDim>,
          lse_kernel<Element, kHeadDim>,
          column_max_kernel<Element, kHeadDim>,
          Shape::kBytes,
          Shape::kBlocksPerProcessor};
}

constexpr Kernels kKernels[] = {kernels<__half, 64>(DType::f16),          kernels<__half, 80>(DType::f16),
                                kernels<__half, 96>(DType::f16),          kernels<__half, 128>(DType::f16),
                                kernels<__half, 256>(DType::f16),         kernels<__nv_bfloat16, 64>(DType::bf16),
                                kernels<__nv_bfloat16, 80>(DType::bf16),  kernels<__nv_bfloat16, 96>(DType::bf16),
                                kernels<__nv_bfloat16, 128>(DType::bf16), kernels<__nv_bfloat16, 256>(DType::bf16)};

const Kernels* find_kernels(DType dtype, size_t head_dim) {
  const auto* found = std::find_if(std::begin(kKernels), std::end(kKernels),
                                   [&](const Kernels& k) { return k.dtype == dtype && k.head_dim == head_dim; });
  return found == std::end(kKernels) ? nullptr : found;
}

/// The first parts of a workspace; the packed queries follow.
struct Workspace {
  size_t padded_rows;
  size_t partial_lse;   ///< values
  size_t negative_lse;  ///< values

  Workspace(size_t tokens, size_t kv_heads, size_t group)
      : padded_rows((tokens * group + kScoreRows - 1) / kScoreRows * kScoreRows),
        partial_lse(kMaxKeySplits * kv_heads * padded_rows),
        negative_lse(kv_heads * padded_rows) {}
};

ScoreParams make_params(const ScoreArgs& args, void* workspace) {
  const Workspace layout(args.q.rows, args.kv_heads, args.group);
  ScoreParams params{};
  params.q = args.q.data;
  params.q_type = args.q.dtype;
  params.q_stride = static_cast<int64_t>(args.q.stride);
  params.factor = args.scale * std::numbers::log2e_v<float>;
  params.tokens = static_cast<int>(args.q.rows);
  params.group = static_cast<int>(args.group);
  params.kv_heads = static_cast<int>(args.kv_heads);
  params.rows = params.tokens * params.group;
  params.padded_rows = static_cast<int>(layout.padded_rows);
  params.system_len = static_cast<int>(args.request.system_len);
  params.chunk_begin = static_cast<int>(args.request.chunk_begin);
  params.chunk_len = static_cast<int>(args.request.chunk_len);
  params.first_visible = static_cast<int>(args.first_position - args.repetition_position) + 1;
  params.partial_lse = static_cast<float*>(workspace);
  params.negative_lse = params.partial_lse + layout.partial_lse;
  params.packed = params.negative_lse + layout.negative_lse;
  params.log_sums = args.log_sums;
  params.log_score = static_cast<float*>(args.request.log_score.data);
  params.log_score_stride = static_cast<int64_t>(args.request.log_score.stride / sizeof(float));
  for (size_t head = 0; head < args.kv_heads; ++head) {
    params.document[head] = args.document[head].k;
    params.repetition[head] = args.repetition[head].k;
    params.repetition_len[head] = static_cast<int>(args.repetition[head].len);
  }
  return params;
}

/// Into how many each of `blocks` is to be split so that rounds of `at_once` blocks come out full.
int splits_for(int blocks, int at_once, int most) {
  int best = 1;
  double best_use = 0;
  for (int splits = 1; splits <= most; ++splits) {
    const double rounds = static_cast<double>(blocks) * splits / at_once;
    const double use = rounds / std::ceil(rounds);
    if (use > best_use + 0.03) {
      best = splits;
      best_use = use;
    }
  }
  return best;
}

bool aligned(std::span<const KvRows> heads) {
  return std::all_of(heads.begin(), heads.end(),
                     [](const KvRows& rows) { return reinterpret_cast<uintptr_t>(rows.k) % 16 == 0; });
}

unsigned ceil_div(int a, int b) { return static_cast<unsigned>((a + b - 1) / b); }

}  // namespace

bool can_raise_scores(const ScoreArgs& args) {
  return find_kernels(args.dtype, args.head_dim) != nullptr && args.kv_heads <= kMaxScoredHeads &&
         args.document.size() == args.kv_heads && args.repetition.size() == args.kv_heads && aligned(args.document) &&
         aligned(args.repetition) && args.request.log_score.dtype == DType::f32 &&
         (args.q.dtype == DType::f32 || args.q.dtype == DType::f16 || args.q.dtype == DType::bf16);
}

size_t score_workspace_bytes(size_t tokens, size_t kv_heads, size_t group, size_t head_dim) {
  const Workspace layout(tokens, kv_heads, group);
  return (layout.partial_lse + layout.negative_lse) * sizeof(float) + kv_heads * layout.padded_rows * head_dim * 2;
}

void raise_scores(const ScoreArgs& args, void* workspace, cudaStream_t stream) {
  check(can_raise_scores(args), "scoring handles its arguments");
  check(args.first_position >= args.repetition_position, "queries belong to the repetition");
  if (args.q.rows == 0 || args.request.chunk_len == 0) return;
  const Kernels& kernels = *find_kernels(args.dtype, args.head_dim);
  ScoreParams params = make_params(args, workspace);
  int device = 0;
  int processors = 0;
  cuda_check(cudaGetDevice(&device), "asking for the device");
  cuda_check(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device), "asking for its size");
  const int at_once = processors * kernels.blocks_per_processor;
  const unsigned row_blocks = ceil_div(params.rows, kScoreRows);
  const unsigned column_blocks = ceil_div(params.chunk_len, kScoreRows);
  const auto heads = static_cast<unsigned>(params.kv_heads);
  params.key_splits = splits_for(static_cast<int>(row_blocks * heads), at_once, kMaxKeySplits);
  params.row_splits = splits_for(static_cast<int>(column_blocks * heads), at_once, 16);

  const auto run = [&](Step step, dim3 grid, int threads, int shared_bytes, const char* what) {
    if (shared_bytes > 0) {
      cuda_check(cudaFuncSetAttribute(step, cudaFuncAttributeMaxDynamicSharedMemorySize, shared_bytes), what);
    }
    step<<<grid, threads, shared_bytes, stream>>>(params);
    check_launch(what);
  };
  run(kernels.pack_queries, dim3(static_cast<unsigned>(params.tokens), heads * static_cast<unsigned>(params.group)),
      static_cast<int>(std::min<size_t>(args.head_dim, 128)), 0, "packing of queries");
  const dim3 all_rows(ceil_div(params.kv_heads * params.padded_rows, 256));
  if (params.log_sums != nullptr) {
    run(take_lse_kernel, all_rows, 256, 0, "log-sum-exps of scoring");
  } else {
    run(kernels.lse, dim3(heads, static_cast<unsigned>(params.key_splits), row_blocks), kScoreThreads,
        kernels.shared_bytes, "log-sum-exp of scoring");
    run(join_lse_kernel, all_rows, 256, 0, "join of log-sum-exps");
  }
  run(kernels.column_max, dim3(column_blocks, static_cast<unsigned>(params.row_splits), heads), kScoreThreads,
      kernels.shared_bytes, "maxima of scoring");
}

}  // namespace kvzip::cuda
