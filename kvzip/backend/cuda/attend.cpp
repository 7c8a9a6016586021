#include "kvzip/backend/cuda/attend.h"

#include <algorithm>
#include <vector>

#include "kvzip/backend/attend_check.h"
#include "kvzip/backend/cuda/attend_decode.h"
#include "kvzip/backend/cuda/attend_plain.h"
#include "kvzip/backend/cuda/merge_parts.h"
#include "kvzip/backend/cuda/rows.h"
#include "kvzip/backend/cuda/score.h"
#include "kvzip/base/check.h"

namespace kvzip::cuda {
namespace {

/// Queries from which on a dense kernel's tiles are filled well enough.
constexpr size_t kManyQueries = 64;
constexpr size_t kAlignment = 256;  ///< of outputs of segments

/// Rows begin at multiples of 16 bytes, as the kernels' wide loads want them.
bool is_aligned(const ConstView& view) {
  return reinterpret_cast<uintptr_t>(view.data) % 16 == 0 && view.stride % 16 == 0;
}

/// How the queries see a dense segment.
enum class Mask : uint8_t { none, causal, other };

Mask mask_of(const AttendArgs& args, const Segment& segment) {
  if (!segment.positional) return Mask::none;
  const size_t end = segment.first_position + segment.heads[0].len;  // position after the last row
  const size_t last_query = args.first_position + args.q.rows - 1;
  if (end == last_query + 1 && segment.heads[0].len >= args.q.rows) return Mask::causal;
  const bool all_before = end <= args.first_position + 1;
  const bool all_within = args.window == 0 || last_query - segment.first_position < args.window;
  return all_before && all_within ? Mask::none : Mask::other;
}

}  // namespace

// f32 activations are exact mode's, and stay out of the matrix units. Where scores are asked for, they are a pass of
// their own beside attention that uses every key.
void Attention::run(const AttendArgs& args) {
  check_attend(args, "the GPU");
  check(args.q.dtype == args.out.dtype && (args.q.dtype == DType::f32 || args.q.dtype == DType::bf16),
        "attend: q and out are f32 or bf16, both the same");
  if (args.q.rows == 0) return;
  if (args.q.dtype == DType::f32) return run_plain(args);
  if (args.score != nullptr) {
    if (!takes_dense(args) || !run_score(args)) return run_plain(args);
    return run_dense(args);
  }
  if (takes_dense(args)) return run_dense(args);
  if (!run_decode(args)) run_plain(args);
}

bool Attention::takes_dense(const AttendArgs& args) const {
  if (args.q.rows < kManyQueries && args.score == nullptr) return false;
  if (args.segments.empty() || args.segments.size() > 2) return false;
  for (const Segment& segment : args.segments) {
    if (segment.dtype != args.segments[0].dtype || !is_dense(segment.heads, segment.dtype, args.head_dim)) return false;
    if (mask_of(args, segment) == Mask::other) return false;
  }
  return is_aligned(args.q) && is_aligned(args.out);
}

void Attention::run_dense(const AttendArgs& args) {
  const DType dtype = args.segments[0].dtype;
  const size_t tokens = args.q.rows;
  const size_t heads = args.q.cols / args.head_dim;
  const size_t line = row_bytes(dtype, args.q.cols);
  ConstView q = args.q;
  if (dtype != args.q.dtype) {
    const View converted{halves_.at_least(tokens * line), dtype, tokens, args.q.cols, line};
    convert(q, converted, stream_);
    q = converted;
  }
  const bool merged = args.segments.size() > 1;
  const size_t log_bytes = heads * tokens * sizeof(float);
  const size_t part_bytes = (tokens * line + (merged ? log_bytes : 0) + kAlignment - 1) / kAlignment * kAlignment;
  const bool direct = !merged && dtype == args.out.dtype;
  auto* memory = direct ? nullptr : static_cast<std::byte*>(parts_.at_least(args.segments.size() * part_bytes));
  std::vector<AttendedPart> parts;
  for (const Segment& segment : args.segments) {
    const View out = direct ? args.out : View{memory, dtype, tokens, args.q.cols, line};
    float* const log_sums = merged ? reinterpret_cast<float*>(memory + tokens * line) : nullptr;
    const bool causal = mask_of(args, segment) == Mask::causal;
    dense_.run({q, segment.heads, args.head_dim, args.scale, causal, causal ? args.window : 0, out, log_sums});
    parts.push_back({out, log_sums});
    memory += direct ? 0 : part_bytes;
  }
  if (merged) return merge_parts(parts, args.head_dim, args.out, stream_);
  if (!direct) convert(parts[0].out, args.out, stream_);
}

// False where the kernels don't take the call.
bool Attention::run_decode(const AttendArgs& args) {
  if (!is_aligned(args.q) || !is_aligned(args.out)) return false;
  std::vector<DecodeSegment> segments;
  for (const Segment& segment : args.segments) {
    segments.push_back({segment.heads, segment.dtype, false, segment.positional, segment.first_position});
  }
  const size_t group = args.q.cols / args.head_dim / args.kv_heads;
  DecodeArgs decode{.q = args.q,
                    .out = args.out,
                    .tokens = args.q.rows,
                    .kv_heads = args.kv_heads,
                    .group = group,
                    .head_dim = args.head_dim,
                    .scale = args.scale,
                    .window = args.window,
                    .segments = segments};
  if (!can_attend_decode(decode)) return false;
  const auto position = static_cast<int32_t>(args.first_position);
  auto* const on_gpu = static_cast<int32_t*>(heads_.at_least(sizeof(position)));
  staging_->upload(on_gpu, &position, sizeof(position));
  decode.positions = on_gpu;
  attend_decode(decode, workspace_.at_least(attend_decode_workspace_bytes(args.q.rows * group, args.head_dim)),
                stream_);
  return true;
}

// Raises the scores alone. False where the kernels don't take the call.
bool Attention::run_score(const AttendArgs& args) {
  const Segment& document = args.segments[0];
  const Segment& repetition = args.segments[1];
  if (document.dtype != repetition.dtype || mask_of(args, document) != Mask::none || !repetition.positional)
    return false;
  const size_t group = args.q.cols / args.head_dim / args.kv_heads;
  const ScoreArgs score{.q = args.q,
                        .first_position = args.first_position,
                        .kv_heads = args.kv_heads,
                        .group = group,
                        .head_dim = args.head_dim,
                        .scale = args.scale,
                        .dtype = document.dtype,
                        .document = document.heads,
                        .repetition = repetition.heads,
                        .repetition_position = repetition.first_position,
                        .request = *args.score};
  if (!can_raise_scores(score)) return false;
  raise_scores(score, workspace_.at_least(score_workspace_bytes(args.q.rows, args.kv_heads, group, args.head_dim)),
               stream_);
  return true;
}

void Attention::run_plain(const AttendArgs& args) {
  std::vector<KvRows> heads;
  for (const Segment& segment : args.segments) heads.insert(heads.end(), segment.heads.begin(), segment.heads.end());
  auto* const rows = static_cast<KvRows*>(heads_.at_least(plain_scratch_bytes(args) + 1));
  staging_->upload(rows, heads.data(), heads.size() * sizeof(KvRows));
  attend_plain(args, rows, reinterpret_cast<float*>(rows + heads.size()), stream_);
}

}  // namespace kvzip::cuda
