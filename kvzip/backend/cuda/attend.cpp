#include "kvzip/backend/cuda/attend.h"

#include <algorithm>
#include <optional>
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
constexpr size_t kAlignment = 256;                    ///< of outputs of segments
constexpr size_t kMostQueryBytes = size_t{1} << 31U;  ///< so that any place among queries is an int32_t

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

/// Whether all calls look at the same rows of a segment in the same way.
bool is_shared(std::span<const AttendArgs> calls, size_t segment) {
  const Segment& first = calls.front().segments[segment];
  return std::all_of(calls.begin(), calls.end(), [&](const AttendArgs& args) {
    const Segment& other = args.segments[segment];
    return std::equal(first.heads.begin(), first.heads.end(), other.heads.begin(), other.heads.end(),
                      [](const KvRows& a, const KvRows& b) { return a.k == b.k && a.v == b.v && a.len == b.len; });
  });
}

/// Whether calls differ in positions and rows alone, and queries and outputs lie as one matrix.
bool are_alike(std::span<const AttendArgs> calls) {
  const AttendArgs& first = calls.front();
  if (first.q.dtype != DType::bf16) return false;
  const auto follows = [&](const auto& one, const auto& start, size_t index) {
    return static_cast<const std::byte*>(one.data) ==
               static_cast<const std::byte*>(start.data) + index * start.rows * start.stride &&
           one.stride == start.stride && one.rows == start.rows && one.cols == start.cols && one.dtype == start.dtype;
  };
  for (size_t i = 1; i < calls.size(); ++i) {
    const AttendArgs& other = calls[i];
    if (!follows(other.q, first.q, i) || !follows(other.out, first.out, i) || other.kv_heads != first.kv_heads ||
        other.head_dim != first.head_dim || other.scale != first.scale || other.window != first.window ||
        other.segments.size() != first.segments.size()) {
      return false;
    }
    for (size_t s = 0; s < first.segments.size(); ++s) {
      const Segment& a = first.segments[s];
      const Segment& b = other.segments[s];
      if (a.dtype != b.dtype || a.positional != b.positional || a.first_position != b.first_position) return false;
    }
  }
  return true;
}

/// The rows of both segments as one, where those of the second follow those of the first in memory, head by head, as a
/// tail's continuation lays them. Empty where they don't.
std::vector<KvRows> joined_rows(std::span<const Segment> segments, size_t bytes_per_row) {
  std::vector<KvRows> joined;
  for (size_t h = 0; h < segments[0].heads.size(); ++h) {
    const KvRows& first = segments[0].heads[h];
    const KvRows& second = segments[1].heads[h];
    const size_t bytes = first.len * bytes_per_row;
    if (second.k != static_cast<std::byte*>(first.k) + bytes || second.v != static_cast<std::byte*>(first.v) + bytes) {
      return {};
    }
    joined.push_back({first.k, first.v, first.len + second.len});
  }
  return joined;
}

bool has_rows(const Segment& segment) {
  return std::ranges::any_of(segment.heads, [](const KvRows& head) { return head.len > 0; });
}

/// Whether the keys that a score is defined over are all that the queries see, as in local scoring.
bool sees_what_is_scored(const AttendArgs& args) {
  const ScoreRequest& score = *args.score;
  return score.chunk_begin == score.system_len && std::ranges::all_of(args.segments[0].heads, [&](const KvRows& head) {
           return head.len == score.system_len + score.chunk_len;
         });
}

/// Null where the kernels don't take the call.
std::optional<ScoreArgs> score_args(const AttendArgs& args) {
  const Segment& document = args.segments[0];
  const Segment& repetition = args.segments[1];
  if (document.dtype != repetition.dtype || mask_of(args, document) != Mask::none || !repetition.positional) return {};
  ScoreArgs score{.q = args.q,
                  .first_position = args.first_position,
                  .kv_heads = args.kv_heads,
                  .group = args.q.cols / args.head_dim / args.kv_heads,
                  .head_dim = args.head_dim,
                  .scale = args.scale,
                  .dtype = document.dtype,
                  .document = document.heads,
                  .repetition = repetition.heads,
                  .repetition_position = repetition.first_position,
                  .request = *args.score};
  if (!can_raise_scores(score)) return {};
  return score;
}

}  // namespace

// f32 activations are exact mode's, and stay out of the matrix units.
void Attention::run(const AttendArgs& args) {
  check_attend(args, "the GPU");
  check(args.q.dtype == args.out.dtype && (args.q.dtype == DType::f32 || args.q.dtype == DType::bf16),
        "attend: q and out are f32 or bf16, both the same");
  if (args.q.rows == 0) return;
  if (args.q.dtype == DType::f32) return run_plain(args);
  if (args.score != nullptr) {
    if (!takes_dense(args) || !run_scored(args)) run_plain(args);
    return;
  }
  if (takes_dense(args)) return run_dense(args, nullptr);
  if (!run_decode({&args, 1})) run_plain(args);
}

void Attention::run_together(std::span<const AttendArgs> calls) {
  for (const AttendArgs& args : calls) {
    check_attend(args, "the GPU");
    check(args.score == nullptr, "attend_together: calls without scores");
  }
  while (!calls.empty()) {
    // As many as the kernels take at once, which depends on the number of heads.
    size_t count = are_alike(calls) ? calls.size() : 1;
    while (count > 1 && !run_decode(calls.first(count))) count = (count + 1) / 2;
    if (count == 1) run(calls.front());
    calls = calls.subspan(count);
  }
}

bool Attention::takes_dense(const AttendArgs& args) const {
  if (args.q.rows < kManyQueries && args.score == nullptr) return false;
  if (args.segments.empty() || args.segments.size() > 2) return false;
  bool any_rows = false;
  for (const Segment& segment : args.segments) {
    if (!has_rows(segment)) continue;
    any_rows = true;
    if (segment.dtype != args.segments[0].dtype) return false;
    const bool even = is_dense(segment.heads, segment.dtype, args.head_dim);
    if (even && mask_of(args, segment) == Mask::other) return false;
    if (!even && (segment.positional || !is_ragged(segment.heads, segment.dtype, args.head_dim))) return false;
  }
  return any_rows && is_aligned(args.q) && is_aligned(args.out) && args.q.rows * args.q.stride < kMostQueryBytes;
}

// Scores are a pass of their own beside attention. Where attention sees the very keys that scores are defined over, its
// sums are theirs.
bool Attention::run_scored(const AttendArgs& args) {
  std::optional<ScoreArgs> score = score_args(args);
  if (!score) return false;
  const size_t heads = args.q.cols / args.head_dim;
  float* log_sums = nullptr;
  if (sees_what_is_scored(args)) {
    log_sums = static_cast<float*>(log_sums_.at_least(heads * args.q.rows * sizeof(float)));
    score->log_sums = log_sums;
  }
  run_dense(args, log_sums);
  const size_t bytes = score_workspace_bytes(args.q.rows, args.kv_heads, score->group, args.head_dim);
  raise_scores(*score, workspace_.at_least(bytes), stream_);
  return true;
}

// A document and its continuation are one causal call, instead of two whose parts have to be merged.
bool Attention::run_joined(const AttendArgs& args, float* log_sums) {
  if (args.segments.size() != 2 || !args.segments[0].positional || !args.segments[1].positional) return false;
  const std::vector<KvRows> rows = joined_rows(args.segments, padded_row_bytes(args.segments[0].dtype, args.head_dim));
  if (rows.empty()) return false;
  Segment whole = args.segments[0];
  whole.heads = rows;
  AttendArgs joined = args;
  joined.segments = {&whole, 1};
  if (!is_dense(rows, whole.dtype, args.head_dim) || mask_of(joined, whole) != Mask::causal) return false;
  run_dense(joined, log_sums);
  return true;
}

/// Those of segment number `index` of `count`, all of which have as many.
const int32_t* Attention::upload_places(std::span<const int32_t> places, size_t index, size_t count) {
  auto* const all = static_cast<int32_t*>(places_.at_least(count * places.size_bytes()));
  staging_->upload(all + index * places.size(), places.data(), places.size_bytes());
  return all + index * places.size();
}

// `log_sums`: `[heads, tokens]` of all keys together, or null.
void Attention::run_dense(const AttendArgs& args, float* log_sums) {
  if (run_joined(args, log_sums)) return;
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
  std::vector<const Segment*> segments;
  bool merged = false;  // heads without rows, too, get their zeros there
  for (const Segment& segment : args.segments) {
    if (!has_rows(segment)) continue;
    segments.push_back(&segment);
    merged = merged || segments.size() > 1 || !is_dense(segment.heads, dtype, args.head_dim);
  }
  const size_t log_bytes = heads * tokens * sizeof(float);
  const size_t part_bytes = (tokens * line + (merged ? log_bytes : 0) + kAlignment - 1) / kAlignment * kAlignment;
  const bool direct = !merged && dtype == args.out.dtype;
  auto* memory = direct ? nullptr : static_cast<std::byte*>(parts_.at_least(segments.size() * part_bytes));
  std::vector<AttendedPart> parts;
  for (const Segment* const segment : segments) {
    const View out = direct ? args.out : View{memory, dtype, tokens, args.q.cols, line};
    float* const sums = merged ? reinterpret_cast<float*>(memory + tokens * line) : log_sums;
    const bool causal = mask_of(args, *segment) == Mask::causal;
    AttendedPart part{.out = out, .log_sums = sums};
    const int32_t* places = nullptr;
    if (!is_dense(segment->heads, dtype, args.head_dim)) {
      places = upload_places(places_of(segment->heads, q, out, args.head_dim), parts.size(), segments.size());
      const RaggedPlaces ragged(places, args.kv_heads);
      part.lengths = ragged.lengths;
      part.turns = ragged.turns;
    }
    dense_.run({q, segment->heads, args.head_dim, args.scale, causal, causal ? args.window : 0, out, sums, places});
    parts.push_back(part);
    memory += direct ? 0 : part_bytes;
  }
  if (merged) return merge_parts(parts, {args.out, log_sums, args.head_dim, heads / args.kv_heads}, stream_);
  if (!direct) convert(parts[0].out, args.out, stream_);
}

// One call, or several that are alike. False where the kernels don't take them.
bool Attention::run_decode(std::span<const AttendArgs> questions) {
  const AttendArgs& first = questions.front();
  if (!is_aligned(first.q) || !is_aligned(first.out)) return false;
  std::vector<DecodeSegment> segments;
  std::vector<std::vector<KvRows>> own_rows;  // of segments that aren't shared: those of all questions
  own_rows.reserve(first.segments.size());
  for (size_t s = 0; s < first.segments.size(); ++s) {
    const Segment& segment = first.segments[s];
    const bool shared = is_shared(questions, s);
    std::span<const KvRows> heads = segment.heads;
    if (!shared) {
      std::vector<KvRows>& rows = own_rows.emplace_back();
      for (const AttendArgs& args : questions) {
        rows.insert(rows.end(), args.segments[s].heads.begin(), args.segments[s].heads.end());
      }
      heads = rows;
    }
    segments.push_back({heads, segment.dtype, !shared, segment.positional, segment.first_position});
  }
  const size_t group = first.q.cols / first.head_dim / first.kv_heads;
  const size_t rows = questions.size() * first.q.rows;
  std::vector<size_t> positions;
  for (const AttendArgs& args : questions) positions.push_back(args.first_position);
  const auto all_rows = [&](auto view) {
    view.rows = rows;
    return view;
  };
  DecodeArgs decode{.q = all_rows(first.q),
                    .out = all_rows(first.out),
                    .questions = questions.size(),
                    .tokens = first.q.rows,
                    .kv_heads = first.kv_heads,
                    .group = group,
                    .head_dim = first.head_dim,
                    .scale = first.scale,
                    .window = first.window,
                    .positions = positions,
                    .segments = segments};
  if (!can_attend_decode(decode)) return false;
  // Rows without positions are a context's, written long ago, where a tail follows them; else they may be the batch's
  // own.
  decode.overlap_previous = first.segments.back().positional;
  attend_decode(decode, workspace_.at_least(attend_decode_workspace_bytes(rows * group, first.head_dim)), stream_);
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
