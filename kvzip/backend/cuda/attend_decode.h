// Decode attention: the queries of a few tokens, of one or several questions, over long ragged segments of keys and
// values. Owns nothing; work is queued on a stream. One workspace serves one launch at a time.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "kvzip/backend/backend.h"

namespace kvzip::cuda {

/// Rows that queries look at: shared by all questions (a context) or one set of heads per question (their tails).
struct DecodeSegment {
  std::span<const KvRows> heads;  ///< `[kv_heads]`, or `[questions, kv_heads]`; k and v 16-byte aligned
  DType dtype = DType::f16;       ///< f16, bf16, q8_0 or q4_0; quantised rows are padded to whole blocks
  bool per_question = false;
  bool positional = true;     ///< as in Segment
  size_t first_position = 0;  ///< as in Segment
};

struct DecodeArgs {
  ConstView q;           ///< `[questions * tokens, heads * head_dim]` f32, f16 or bf16, rotated
  View out;              ///< the same shape, f32, f16 or bf16
  size_t questions = 1;  ///< each has `tokens` rows in q, at positions that follow each other
  size_t tokens = 1;
  size_t kv_heads = 0;
  size_t group = 0;     ///< query heads per KV head
  size_t head_dim = 0;  ///< 64, 80, 96, 128 or 256
  float scale = 1;
  size_t window = 0;                        ///< as in AttendArgs
  std::span<const size_t> positions;        ///< `[questions]`: of each question's first token
  std::span<const DecodeSegment> segments;  ///< at most 4
  /// Launch so that the beginning overlaps what runs before it in the stream (launch.cuh), which must not write rows of
  /// segments that aren't positional.
  bool overlap_previous = false;
};

/// True where attend_decode() handles `args`: types, head_dim, alignment and sizes. False is for other kernels to take.
bool can_attend_decode(const DecodeArgs& args);

/// Bytes of device memory that a call with `rows` = questions * tokens * group query rows per KV head needs; fewer rows
/// need no more.
size_t attend_decode_workspace_bytes(size_t rows, size_t head_dim);

/// Queues the attention of args.q over all rows it sees: two kernels. Throws Error{internal} where can_attend_decode()
/// is false, Error{device} where a launch fails.
void attend_decode(const DecodeArgs& args, void* workspace, cudaStream_t stream);

}  // namespace kvzip::cuda
