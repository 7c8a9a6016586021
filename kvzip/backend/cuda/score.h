// KVzip's scores of one chunk in one layer (Kim et al. 2025, eq. 2), fused: logits exist only as tensor core
// accumulators. Owns nothing; work is queued on a stream. One workspace serves one stream at a time.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <span>

#include "kvzip/backend/backend.h"

namespace kvzip::cuda {

/// As AttendArgs with a ScoreRequest: segment 0 is the document, segment 1 the repetition so far.
struct ScoreArgs {
  ConstView q;                ///< `[tokens, heads * head_dim]` f32, f16 or bf16, rotated; any number of tokens
  size_t first_position = 0;  ///< position of q's first row, after all of the document
  size_t kv_heads = 0;
  size_t group = 0;
  size_t head_dim = 0;  ///< 64, 80, 96, 128 or 256
  float scale = 1;
  DType dtype = DType::bf16;           ///< of all rows: f16 or bf16
  std::span<const KvRows> document;    ///< `[kv_heads]`, 16-byte aligned
  std::span<const KvRows> repetition;  ///< `[kv_heads]`; row r stands at repetition_position + r
  size_t repetition_position = 0;
  ScoreRequest request;  ///< its log_score in device memory
  /// Device memory, `[heads, tokens]`: log of the sum of exp(logit) over all keys that a query's scores are defined
  /// over, where it is known; null = to be found.
  const float* log_sums = nullptr;
};

/// True where raise_scores() handles the types, the head_dim, the alignment and the number of heads.
bool can_raise_scores(const ScoreArgs& args);

/// Bytes of device memory that a call with up to `tokens` tokens needs.
size_t score_workspace_bytes(size_t tokens, size_t kv_heads, size_t group, size_t head_dim);

/// Queues: log_score[h][c] = max(log_score[h][c], logit(q, c) - log-sum-exp of q's logits over the system's rows, the
/// chunk's, and those of the repetition up to q) over all tokens and query heads of KV head h. Throws Error{internal}
/// where can_raise_scores() is false, Error{device} where a launch fails.
void raise_scores(const ScoreArgs& args, void* workspace, cudaStream_t stream);

}  // namespace kvzip::cuda
