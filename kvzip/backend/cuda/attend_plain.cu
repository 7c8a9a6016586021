#include <algorithm>

#include "kvzip/backend/cuda/attend_plain.h"
#include "kvzip/backend/cuda/cuda_check.h"
#include "kvzip/backend/cuda/decode.cuh"

namespace kvzip::cuda {
namespace {

constexpr int kWarps = 4;
constexpr int kMostSegments = 8;
constexpr int kMostPerLane = 16;       ///< values of a head per lane: head_dim up to 512
constexpr unsigned kScoreSplits = 16;  ///< blocks that share the queries of a column

struct PlainSegment {
  const KvRows* heads;
  DType dtype;
  BlockShape shape;
  unsigned row_bytes;
  bool positional;
  long long first_position;
};

/// What the kernels need of AttendArgs.
struct Plain {
  PlainSegment segments[kMostSegments];
  int segment_count;
  int heads;
  int group;
  int head_dim;
  float scale;
  long long first_position;
  long long window;
  long long system_len;
  long long chunk_begin;
  long long chunk_len;
};

/// Keys of a segment that a query at `position` sees: [begin, end).
struct KeyRange {
  long long begin;
  long long end;
};
__device__ KeyRange visible(const Plain& plain, const PlainSegment& segment, size_t len, long long position) {
  KeyRange range{0, static_cast<long long>(len)};
  if (!segment.positional) return range;
  range.end = min(range.end, position - segment.first_position + 1);
  if (plain.window > 0) range.begin = max(0LL, position - plain.window + 1 - segment.first_position);
  return range;
}

template <DType kType>
__device__ float dot(const float* query, const uint8_t* row, const Plain& plain, BlockShape shape) {
  float sum = 0;
  for (int d = 0; d < plain.head_dim; ++d) sum += query[d] * row_value<kType>(row, d, shape);
  return sum * plain.scale;
}

/// Calls body.operator()<kType>() for the types that a cache may have.
template <class Body>
__device__ void with_row_type(DType dtype, const Body& body) {
  switch (dtype) {
    case DType::f32:
      return body.template operator()<DType::f32>();
    case DType::f16:
      return body.template operator()<DType::f16>();
    case DType::bf16:
      return body.template operator()<DType::bf16>();
    case DType::q8_0:
      return body.template operator()<DType::q8_0>();
    default:
      return body.template operator()<DType::q4_0>();
  }
}

__device__ float warp_max(float value) {
  for (int offset = 16; offset > 0; offset /= 2) value = fmaxf(value, __shfl_xor_sync(~0U, value, offset));
  return value;
}
__device__ float warp_sum(float value) {
  for (int offset = 16; offset > 0; offset /= 2) value += __shfl_xor_sync(~0U, value, offset);
  return value;
}

/// exp(a - b), 0 where a is -infinity, whatever b is.
__device__ float weight(float a, float b) { return a == -INFINITY ? 0.0F : expf(a - b); }

/// Running softmax of one query over the keys of one warp. Lane l holds values l, l + 32, ... of `out`.
struct Running {
  float highest = -INFINITY;
  float sum = 0;
  float scored_highest = -INFINITY;
  float scored_sum = 0;
  float out[kMostPerLane] = {};
};

/// 32 keys from `first` on, one per lane.
template <DType kType>
__device__ void take_keys(const Plain& plain, int s, const KvRows& rows, long long first, KeyRange range,
                          const float* query, Running& running) {
  const PlainSegment& segment = plain.segments[s];
  const int lane = static_cast<int>(threadIdx.x % 32);
  const long long key = first + lane;
  const bool seen = key < range.end;
  const auto* const k = static_cast<const uint8_t*>(rows.k);
  const auto* const v = static_cast<const uint8_t*>(rows.v);
  const float logit = seen ? dot<kType>(query, k + key * segment.row_bytes, plain, segment.shape) : -INFINITY;

  const float highest = fmaxf(running.highest, warp_max(logit));
  const float p = weight(logit, highest);
  const float shrink = weight(running.highest, highest);
  running.sum = running.sum * shrink + warp_sum(p);
  running.highest = highest;

  if (plain.chunk_len > 0) {
    const bool scored = seen && (s == 1 || key < plain.system_len ||
                                 (key >= plain.chunk_begin && key < plain.chunk_begin + plain.chunk_len));
    const float scored_highest = fmaxf(running.scored_highest, warp_max(scored ? logit : -INFINITY));
    running.scored_sum = running.scored_sum * weight(running.scored_highest, scored_highest) +
                         warp_sum(scored ? weight(logit, scored_highest) : 0.0F);
    running.scored_highest = scored_highest;
  }

#pragma unroll
  for (int i = 0; i < kMostPerLane; ++i) running.out[i] *= shrink;
  const int count = static_cast<int>(min(32LL, range.end - first));
  for (int j = 0; j < count; ++j) {
    const float share = __shfl_sync(~0U, p, j);
    const uint8_t* const row = v + (first + j) * segment.row_bytes;
#pragma unroll
    for (int i = 0; i < kMostPerLane; ++i) {
      const int d = lane + 32 * i;
      if (d < plain.head_dim) running.out[i] += share * row_value<kType>(row, d, segment.shape);
    }
  }
}

/// The warps' sums as one: weights of each warp, for the whole block.
struct Merged {
  float highest[kWarps];
  float sum[kWarps];

  __device__ float total_highest() const {
    float high = -INFINITY;
    for (const float value : highest) high = fmaxf(high, value);
    return high;
  }
  __device__ float total_sum(float high) const {
    float total = 0;
    for (int w = 0; w < kWarps; ++w) total += sum[w] * weight(highest[w], high);
    return total;
  }
};

/// One block per (token, query head).
template <class T>
__global__ void attend_query(Plain plain, Rows<const T> q, Rows<T> out, float* log_sums) {
  extern __shared__ float shared[];  // the query, then the warps' outputs
  __shared__ Merged merged;
  __shared__ Merged scored;
  const int token = static_cast<int>(blockIdx.x);
  const int head = static_cast<int>(blockIdx.y);
  const int warp = static_cast<int>(threadIdx.x / 32);
  const int lane = static_cast<int>(threadIdx.x % 32);
  const T* const from = q[token] + static_cast<size_t>(head) * plain.head_dim;
  for (int d = static_cast<int>(threadIdx.x); d < plain.head_dim; d += kWarps * 32) shared[d] = to_f32(from[d]);
  __syncthreads();

  Running running;
  for (int s = 0; s < plain.segment_count; ++s) {
    const PlainSegment& segment = plain.segments[s];
    const KvRows rows = segment.heads[head / plain.group];
    const KeyRange range = visible(plain, segment, rows.len, plain.first_position + token);
    with_row_type(segment.dtype, [&]<DType kType>() {
      for (long long first = range.begin + warp * 32; first < range.end; first += kWarps * 32) {
        take_keys<kType>(plain, s, rows, first, range, shared, running);
      }
    });
  }

  float* const outputs = shared + plain.head_dim;
#pragma unroll
  for (int i = 0; i < kMostPerLane; ++i) {
    if (lane + 32 * i < plain.head_dim) outputs[warp * plain.head_dim + lane + 32 * i] = running.out[i];
  }
  if (lane == 0) {
    merged.highest[warp] = running.highest;
    merged.sum[warp] = running.sum;
    scored.highest[warp] = running.scored_highest;
    scored.sum[warp] = running.scored_sum;
  }
  __syncthreads();
  const float highest = merged.total_highest();
  const float sum = merged.total_sum(highest);
  T* const to = out[token] + static_cast<size_t>(head) * plain.head_dim;
  for (int d = static_cast<int>(threadIdx.x); d < plain.head_dim; d += kWarps * 32) {
    float value = 0;
    for (int w = 0; w < kWarps; ++w) value += outputs[w * plain.head_dim + d] * weight(merged.highest[w], highest);
    to[d] = from_f32<T>(sum > 0 ? value / sum : 0.0F);  // a query that sees nothing gets zeros
  }
  if (log_sums != nullptr && threadIdx.x == 0) {
    const float high = scored.total_highest();
    log_sums[static_cast<size_t>(token) * plain.heads + head] = high + logf(scored.total_sum(high));
  }
}

__device__ void raise(float* to, float value) {
  // Floats order like signed integers where they are positive, and against unsigned ones where negative.
  if (value >= 0) {
    atomicMax(reinterpret_cast<int*>(to), __float_as_int(value));
  } else {
    atomicMin(reinterpret_cast<unsigned*>(to), __float_as_uint(value));
  }
}

/// One thread per column of the chunk and KV head; blocks along z share the tokens.
template <class T>
__global__ void raise_columns(Plain plain, Rows<const T> q, int tokens, const float* log_sums, Rows<float> log_score) {
  const int column = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  const int kv_head = static_cast<int>(blockIdx.y);
  if (column >= plain.chunk_len) return;
  const PlainSegment& segment = plain.segments[0];
  const KvRows rows = segment.heads[kv_head];
  const long long key = plain.chunk_begin + column;
  const auto* const row = static_cast<const uint8_t*>(rows.k) + key * segment.row_bytes;
  float best = -INFINITY;
  with_row_type(segment.dtype, [&]<DType kType>() {
    for (int token = static_cast<int>(blockIdx.z); token < tokens; token += static_cast<int>(gridDim.z)) {
      if (key >= visible(plain, segment, rows.len, plain.first_position + token).end) continue;
      for (int head = kv_head * plain.group; head < (kv_head + 1) * plain.group; ++head) {
        const T* const query = q[token] + static_cast<size_t>(head) * plain.head_dim;
        float sum = 0;
        for (int d = 0; d < plain.head_dim; ++d) sum += to_f32(query[d]) * row_value<kType>(row, d, segment.shape);
        best = fmaxf(best, sum * plain.scale - log_sums[static_cast<size_t>(token) * plain.heads + head]);
      }
    }
  });
  if (best > -INFINITY) raise(log_score[kv_head] + column, best);
}

/// The last block of a row of a cache is filled up.
unsigned row_bytes_of(BlockShape shape, size_t head_dim) { return blocks_for(head_dim, shape.values) * shape.bytes; }

Plain describe(const AttendArgs& args, const KvRows* heads) {
  Plain plain{};
  for (const Segment& segment : args.segments) {
    plain.segments[plain.segment_count++] = {heads,
                                             segment.dtype,
                                             block_shape(segment.dtype),
                                             row_bytes_of(block_shape(segment.dtype), args.head_dim),
                                             segment.positional,
                                             static_cast<long long>(segment.first_position)};
    heads += args.kv_heads;
  }
  plain.heads = static_cast<int>(args.q.cols / args.head_dim);
  plain.group = plain.heads / static_cast<int>(args.kv_heads);
  plain.head_dim = static_cast<int>(args.head_dim);
  plain.scale = args.scale;
  plain.first_position = static_cast<long long>(args.first_position);
  plain.window = static_cast<long long>(args.window);
  if (args.score != nullptr) {
    plain.system_len = static_cast<long long>(args.score->system_len);
    plain.chunk_begin = static_cast<long long>(args.score->chunk_begin);
    plain.chunk_len = static_cast<long long>(args.score->chunk_len);
  }
  return plain;
}

}  // namespace

size_t plain_scratch_bytes(const AttendArgs& args) {
  const size_t log_sums = args.score == nullptr ? 0 : args.q.rows * (args.q.cols / args.head_dim) * sizeof(float);
  return args.segments.size() * args.kv_heads * sizeof(KvRows) + log_sums;
}

void attend_plain(const AttendArgs& args, const KvRows* heads, float* log_sums, cudaStream_t stream) {
  if (args.segments.size() > kMostSegments || args.head_dim > kMostPerLane * 32) {
    throw Error(ErrorCode::unsupported, "device cuda: attention over " + std::to_string(args.segments.size()) +
                                            " stretches with heads of " + std::to_string(args.head_dim) +
                                            " values; expected at most 8 stretches, 512 values");
  }
  const Plain plain = describe(args, heads);
  const auto tokens = static_cast<unsigned>(args.q.rows);
  const size_t shared = (1 + kWarps) * args.head_dim * sizeof(float);
  with_activation_type(args.q.dtype, [&](auto type) {
    using T = decltype(type);
    attend_query<T><<<dim3(tokens, static_cast<unsigned>(plain.heads)), kWarps * 32, shared, stream>>>(
        plain, rows_as<T>(args.q), rows_as<T>(args.out), args.score == nullptr ? nullptr : log_sums);
    if (args.score == nullptr || plain.chunk_len == 0) return;
    constexpr unsigned kColumns = 128;
    const dim3 grid(blocks_for(args.score->chunk_len, kColumns), static_cast<unsigned>(args.kv_heads),
                    std::min(tokens, kScoreSplits));
    raise_columns<T><<<grid, kColumns, 0, stream>>>(plain, rows_as<T>(args.q), static_cast<int>(args.q.rows), log_sums,
                                                    rows_as<float>(args.score->log_score));
  });
  check_launch("attention");
}

}  // namespace kvzip::cuda
