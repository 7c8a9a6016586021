#include "kvzip/backend/attend_check.h"

#include <algorithm>
#include <array>
#include <string>

#include "kvzip/base/check.h"

namespace kvzip {
namespace {

constexpr std::array kRowTypes = {DType::f32, DType::f16, DType::bf16, DType::q8_0, DType::q4_0};

void check_row_type(DType dtype, std::string_view device) {
  if (std::find(kRowTypes.begin(), kRowTypes.end(), dtype) != kRowTypes.end()) return;
  std::string known;
  for (const DType type : kRowTypes) known += (known.empty() ? "" : ", ") + std::string(dtype_name(type));
  throw Error(ErrorCode::unsupported, "attention on " + std::string(device) + ": keys and values must be one of " +
                                          known + ", not " + std::string(dtype_name(dtype)));
}

void check_score(const AttendArgs& args) {
  const ScoreRequest& score = *args.score;
  check(args.segments.size() == 2 && args.window == 0, "attend: scores need two segments and no window");
  check(score.system_len <= score.chunk_begin, "attend: the scored chunk overlaps the system prompt");
  check(score.log_score.dtype == DType::f32 && score.log_score.rows == args.kv_heads &&
            score.log_score.cols == score.chunk_len,
        "attend: log_score is not f32 [kv_heads, chunk_len]");
  for (const KvRows& rows : args.segments[0].heads) {
    check(score.chunk_begin + score.chunk_len <= rows.len, "attend: the scored chunk exceeds segment 0");
  }
}

}  // namespace

void check_attend(const AttendArgs& args, std::string_view device) {
  check(args.head_dim > 0 && args.kv_heads > 0 && args.q.cols > 0 && args.q.cols % args.head_dim == 0 &&
            args.q.cols / args.head_dim % args.kv_heads == 0,
        "attend: q's columns are not whole groups of heads");
  check(args.out.rows == args.q.rows && args.out.cols == args.q.cols, "attend: out is not of q's shape");
  for (const Segment& segment : args.segments) {
    check(segment.heads.size() == args.kv_heads, "attend: a segment has another number of heads");
    check_row_type(segment.dtype, device);
  }
  if (args.score != nullptr) check_score(args);
}

}  // namespace kvzip
