// A warp per head of a token: queries, keys, then values. The head's values are in registers from the norm to the
// cache.
#include <algorithm>

#include "kvzip/backend/cuda/launch.cuh"
#include "kvzip/backend/cuda/prepare_heads.h"
#include "kvzip/backend/cuda/values.cuh"

namespace kvzip::cuda {
namespace {

constexpr unsigned kWarps = 4;  ///< of a block
constexpr size_t kMostRows = 32;
constexpr size_t kMostHeadDim = 256;
constexpr size_t kMostSets = 144;              ///< KvRows that travel as kernel parameters
constexpr int kMostPairs = kMostHeadDim / 64;  ///< of a lane

/// Some rows of heads in memory; no data = none.
template <class T>
struct HeadsOf {
  Rows<T> rows;
  int heads;
};

template <class T>
struct Params {
  HeadsOf<T> q;
  HeadsOf<T> k;
  Rows<const T> v;
  Rows<const float> cos_sin;
  const float* q_norm;
  const float* k_norm;
  float eps;
  int tokens;
  int head_dim;
  int pairs;  ///< that are rotated; the other values of a head form pairs of neighbours that are not
  bool halves;
  bool row_per_set;  ///< a token's rows are the last of sets of their own
  KvRows sets[kMostSets];

  /// Where the two values of a head's pair stand.
  __device__ int2 places(int pair) const {
    if (halves && pair < pairs) return {pair, pair + pairs};
    return {2 * pair, 2 * pair + 1};
  }
  __device__ size_t row_in_set(const KvRows& set, int token) const {
    return row_per_set ? set.len - 1 : set.len - static_cast<size_t>(tokens - token);
  }
  __device__ const KvRows& set_of(int token, int head) const {
    return sets[(row_per_set ? token * k.heads : 0) + head];
  }
};

__device__ float warp_sum(float value) {
  for (int offset = 16; offset > 0; offset /= 2) value += __shfl_xor_sync(~0U, value, offset);
  return value;
}

/// Reads a head, and after norm and rotation writes it to `to`.
template <class T, class Out>
__device__ void turn_head(const Params<T>& params, const T* from, const float* norm, int token, Out* to) {
  const int lane = static_cast<int>(threadIdx.x % 32);
  const int pairs = params.head_dim / 2;
  float a[kMostPairs];
  float b[kMostPairs];
  float squares = 0;
#pragma unroll
  for (int i = 0; i < kMostPairs; ++i) {
    const int pair = lane + 32 * i;
    if (pair >= pairs) continue;
    const int2 at = params.places(pair);
    a[i] = to_f32(from[at.x]);
    b[i] = to_f32(from[at.y]);
    squares += a[i] * a[i] + b[i] * b[i];
  }
  const float factor =
      norm == nullptr ? 1.0F : 1.0F / sqrtf(warp_sum(squares) / static_cast<float>(params.head_dim) + params.eps);
#pragma unroll
  for (int i = 0; i < kMostPairs; ++i) {
    const int pair = lane + 32 * i;
    if (pair >= pairs) continue;
    const int2 at = params.places(pair);
    if (norm != nullptr) {  // rounded as a norm of its own leaves it
      a[i] = to_f32(from_f32<T>(a[i] * factor * norm[at.x]));
      b[i] = to_f32(from_f32<T>(b[i] * factor * norm[at.y]));
    }
    if (pair < params.pairs) {
      const float c = params.cos_sin[token][pair];
      const float s = params.cos_sin[token][params.pairs + pair];
      const float turned = a[i] * c - b[i] * s;
      b[i] = b[i] * c + a[i] * s;
      a[i] = turned;
    }
    to[at.x] = from_f32<Out>(to_f32(from_f32<T>(a[i])));
    to[at.y] = from_f32<Out>(to_f32(from_f32<T>(b[i])));
  }
}

template <class T, class Out>
__global__ void __launch_bounds__(kWarps * 32) prepare_kernel(const __grid_constant__ Params<T> params) {
  // Attention may begin with the rows of a context, which no kernel before it writes, while this one still waits.
  let_next_kernel_start();
  wait_for_previous_kernel();
  const int item = static_cast<int>(blockIdx.x * kWarps + threadIdx.x / 32);
  const int heads = params.q.heads + 2 * params.k.heads;
  const int token = item / heads;
  int head = item % heads;
  if (token >= params.tokens) return;
  if (head < params.q.heads) {
    T* const at = params.q.rows[token] + head * params.head_dim;
    return turn_head(params, at, params.q_norm, token, at);
  }
  head -= params.q.heads;
  const bool is_key = head < params.k.heads;
  head -= is_key ? 0 : params.k.heads;
  const KvRows& set = params.set_of(token, head);
  const size_t to = params.row_in_set(set, token) * static_cast<size_t>(params.head_dim);
  if (is_key) {
    return turn_head(params, params.k.rows[token] + head * params.head_dim, params.k_norm, token,
                     static_cast<Out*>(set.k) + to);
  }
  const T* const from = params.v[token] + head * params.head_dim;
  Out* const value = static_cast<Out*>(set.v) + to;
  for (int i = static_cast<int>(threadIdx.x % 32); i < params.head_dim; i += 32) {
    value[i] = from_f32<Out>(to_f32(from[i]));
  }
}

template <class T>
Params<T> params_of(const HeadRows& rows) {
  Params<T> params{};
  const auto heads = [&](const View& view) {
    return view.rows == 0 ? HeadsOf<T>{} : HeadsOf<T>{rows_as<T>(view), static_cast<int>(view.cols / rows.head_dim)};
  };
  params.q = heads(rows.q);
  params.k = heads(rows.k);
  if (rows.k.rows > 0) params.v = rows_as<T>(rows.v);
  params.cos_sin = rows_as<float>(rows.cos_sin);
  params.q_norm = rows.q_norm;
  params.k_norm = rows.k_norm;
  params.eps = rows.eps;
  params.tokens = static_cast<int>(std::max(rows.q.rows, rows.k.rows));
  params.head_dim = static_cast<int>(rows.head_dim);
  params.pairs = static_cast<int>(rows.cos_sin.cols / 2);
  params.halves = rows.pairing == RopePairing::halves;
  params.row_per_set = rows.heads.size() > static_cast<size_t>(params.k.heads);
  std::copy(rows.heads.begin(), rows.heads.end(), params.sets);
  return params;
}

}  // namespace

bool can_prepare_heads(const HeadRows& rows) {
  const size_t tokens = std::max(rows.q.rows, rows.k.rows);
  return tokens <= kMostRows && rows.heads.size() <= kMostSets && rows.head_dim % 2 == 0 &&
         rows.head_dim <= kMostHeadDim && (rows.q.rows == 0 || rows.k.rows == 0 || rows.q.rows == rows.k.rows);
}

void prepare_heads(const HeadRows& rows, cudaStream_t stream) {
  check(can_prepare_heads(rows), "prepare_heads handles its rows");
  const DType activations = rows.q.rows > 0 ? rows.q.dtype : rows.k.dtype;
  with_activation_type(activations, [&](auto type) {
    with_type(rows.dtype, [&](auto stored) {
      using T = decltype(type);
      const Params<T> params = params_of<T>(rows);
      const auto warps = static_cast<size_t>(params.tokens * (params.q.heads + 2 * params.k.heads));
      if (warps == 0) return;
      launch_overlapping(prepare_kernel<T, decltype(stored)>, blocks_for(warps, kWarps), kWarps * 32, stream, params);
    });
  });
}

}  // namespace kvzip::cuda
