#include <algorithm>

#include "kvzip/backend/cuda/cuda_check.h"
#include "kvzip/backend/cuda/decode.cuh"
#include "kvzip/backend/cuda/launch.cuh"
#include "kvzip/backend/cuda/row_formats.cuh"
#include "kvzip/backend/cuda/rows.h"

namespace kvzip::cuda {
namespace {

constexpr unsigned kThreads = 256;
/// Heads that one launch serves: their addresses travel as a parameter.
constexpr size_t kHeadsPerLaunch = 32;

struct Heads {
  KvRows rows[kHeadsPerLaunch];
};

template <DType kType, class Out>
__global__ void convert_values(const uint8_t* in, size_t in_stride, BlockShape shape, Rows<Out> out, size_t rows,
                               size_t cols) {
  const size_t item = static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (item >= rows * cols) return;
  const size_t row = item / cols;
  const size_t col = item % cols;
  out[row][col] = from_f32<Out>(row_value<kType>(in + row * in_stride, static_cast<unsigned>(col), shape));
}

/// The same for formats whose units a thread reads at once.
template <class Format>
__global__ void unpack_units(const uint8_t* in, size_t in_stride, Rows<__nv_bfloat16> out, size_t rows, size_t units) {
  const size_t item = static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (item >= rows * units) return;
  const size_t row = item / units;
  const int unit = static_cast<int>(item % units);
  float values[8];
  Format::values(Format::load(in + row * in_stride, unit), unit, values);
  const Columns columns = Format::columns(unit);
  const float quads[2][4] = {{values[0], values[1], values[2], values[3]},
                             {values[4], values[5], values[6], values[7]}};
  store<4>(quads[0], out[row] + columns.first);
  store<4>(quads[1], out[row] + columns.second);
}

void unpack(const ConstView& in, const View& out, cudaStream_t stream) {
  const size_t units = in.cols / 8;
  with_row_format(in.dtype, [&]<DType kType>() {
    unpack_units<RowFormat<kType>><<<blocks_for(in.rows * units, kThreads), kThreads, 0, stream>>>(
        static_cast<const uint8_t*>(in.data), in.stride, rows_as<__nv_bfloat16>(out), in.rows, units);
  });
  check_launch("unpacking weights");
}

/// Between f32, f16 and bf16, 8 values at a time.
template <class In, class Out>
__global__ void convert_packs(Rows<const In> in, Rows<Out> out, size_t rows, size_t packs) {
  const size_t item = static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (item >= rows * packs) return;
  const size_t col = item % packs * 8;
  float values[8];
  load<8>(in[item / packs] + col, values);
  store<8>(values, out[item / packs] + col);
}

/// Threads walk [token][head][pack of kPack values], keys and values at once.
template <class In, class Out, int kPack>
__global__ void store_heads(Rows<const In> k, Rows<const In> v, Heads heads, size_t count, size_t tokens,
                            size_t head_dim, size_t at) {
  wait_for_previous_kernel();
  let_next_kernel_start();
  const size_t packs = head_dim / kPack;
  const size_t item = static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (item >= tokens * count * packs) return;
  const size_t token = item / (count * packs);
  const size_t head = item / packs % count;
  const size_t col = item % packs * kPack;
  const size_t to = (at + token) * head_dim + col;
  float values[kPack];
  load<kPack>(k[token] + head * head_dim + col, values);
  store<kPack>(values, static_cast<Out*>(heads.rows[head].k) + to);
  load<kPack>(v[token] + head * head_dim + col, values);
  store<kPack>(values, static_cast<Out*>(heads.rows[head].v) + to);
}

template <class Unit>
__global__ void copy_units(const uint8_t* from, size_t from_stride, const uint32_t* index, uint8_t* to,
                           size_t to_stride, size_t rows, size_t units) {
  const size_t item = static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (item >= rows * units) return;
  const size_t row = item / units;
  const size_t unit = item % units;
  reinterpret_cast<Unit*>(to + row * to_stride)[unit] =
      reinterpret_cast<const Unit*>(from + index[row] * from_stride)[unit];
}

constexpr int kBlock = 32;  ///< values of a block of q8_0 and q4_0

__device__ void encode_q8_0(const float (&values)[kBlock], uint8_t* block) {
  float largest = 0;
  for (int i = 0; i < kBlock; ++i) largest = fmaxf(largest, fabsf(values[i]));
  const float scale = largest / 127.0F;
  const float inverse = scale != 0 ? 1.0F / scale : 0.0F;
  *reinterpret_cast<__half*>(block) = __float2half_rn(scale);
  for (int i = 0; i < kBlock; ++i)
    block[2 + i] = static_cast<uint8_t>(static_cast<int8_t>(roundf(values[i] * inverse)));
}

/// The value of the largest magnitude becomes -8, the end of the range that reaches further.
__device__ void encode_q4_0(const float (&values)[kBlock], uint8_t* block) {
  float extreme = 0;
  for (int i = 0; i < kBlock; ++i) extreme = fabsf(values[i]) > fabsf(extreme) ? values[i] : extreme;
  const float scale = extreme / -8.0F;
  const float inverse = scale != 0 ? 1.0F / scale : 0.0F;
  *reinterpret_cast<__half*>(block) = __float2half_rn(scale);
  const auto code = [inverse](float value) { return min(15, static_cast<int>(value * inverse + 8.5F)); };
  for (int i = 0; i < kBlock / 2; ++i) {
    block[2 + i] = static_cast<uint8_t>(code(values[i]) | code(values[i + kBlock / 2]) << 4);
  }
}

/// One thread per block of 32 values; the last block of a row is filled up with zeros.
template <class In, bool kEightBits>
__global__ void quantise_rows(Rows<const In> from, const uint32_t* index, uint8_t* to, size_t to_stride, size_t rows,
                              size_t cols) {
  const size_t blocks = (cols + kBlock - 1) / kBlock;
  const size_t item = static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (item >= rows * blocks) return;
  const size_t row = item / blocks;
  const size_t block = item % blocks;
  const In* const source = from[index[row]] + block * kBlock;
  float values[kBlock];
#pragma unroll
  for (int i = 0; i < kBlock; ++i) values[i] = block * kBlock + i < cols ? to_f32(source[i]) : 0.0F;
  uint8_t* const target = to + row * to_stride + block * (kEightBits ? 34 : 18);
  if constexpr (kEightBits) {
    encode_q8_0(values, target);
  } else {
    encode_q4_0(values, target);
  }
}

bool is_aligned(const void* data, size_t stride, size_t bytes) {
  return reinterpret_cast<uintptr_t>(data) % bytes == 0 && stride % bytes == 0;
}

template <class Unit>
void launch_copy(const ConstView& from, const uint32_t* index, const View& to, size_t bytes, cudaStream_t stream) {
  const size_t units = bytes / sizeof(Unit);
  copy_units<Unit><<<blocks_for(to.rows * units, kThreads), kThreads, 0, stream>>>(
      static_cast<const uint8_t*>(from.data), from.stride, index, static_cast<uint8_t*>(to.data), to.stride, to.rows,
      units);
}

void convert_plain(const ConstView& in, const View& out, cudaStream_t stream) {
  with_type(in.dtype, [&](auto from) {
    with_type(out.dtype, [&](auto to) {
      const size_t packs = in.cols / 8;
      convert_packs<<<blocks_for(in.rows * packs, kThreads), kThreads, 0, stream>>>(
          rows_as<decltype(from)>(in), rows_as<decltype(to)>(out), in.rows, packs);
    });
  });
  check_launch("converting values");
}

/// The first `bytes` of the rows of `from` that `index` names.
void copy_rows(const ConstView& from, const uint32_t* index, const View& to, size_t bytes, cudaStream_t stream) {
  if (to.rows * bytes == 0) return;
  const bool wide = bytes % 16 == 0 && is_aligned(from.data, from.stride, 16) && is_aligned(to.data, to.stride, 16);
  if (wide) {
    launch_copy<uint4>(from, index, to, bytes, stream);
  } else {
    launch_copy<uint8_t>(from, index, to, bytes, stream);
  }
  check_launch("gathering rows");
}

}  // namespace

void convert(const ConstView& in, const View& out, cudaStream_t stream) {
  if (in.rows * in.cols == 0) return;
  if (dtype_info(in.dtype).block_values == 1 && packs_by(in, 8) && packs_by(out, 8)) {
    return convert_plain(in, out, stream);
  }
  if (is_quantised(in.dtype) && has_row_format(in.dtype) && out.dtype == DType::bf16 && packs_by(out, 4)) {
    return unpack(in, out, stream);
  }
  with_type(out.dtype, [&](auto result) {
    using Out = decltype(result);
    with_dtype(in.dtype, [&]<DType kType>() {
      convert_values<kType, Out><<<blocks_for(in.rows * in.cols, kThreads), kThreads, 0, stream>>>(
          static_cast<const uint8_t*>(in.data), in.stride, block_shape(in.dtype), rows_as<Out>(out), in.rows, in.cols);
    });
  });
  check_launch("converting values");
}

void store_kv(const ConstView& k, const ConstView& v, std::span<const KvRows> heads, DType dtype, size_t at,
              cudaStream_t stream) {
  const size_t head_dim = k.cols / heads.size();
  if (k.rows * head_dim == 0) return;
  check(k.dtype == v.dtype, "store_kv: k and v are of one type");
  bool packs = head_dim % 8 == 0 && packs_by(k, 8) && packs_by(v, 8);
  for (const KvRows& rows : heads) packs = packs && is_aligned(rows.k, 0, 16) && is_aligned(rows.v, 0, 16);
  with_activation_type(k.dtype, [&](auto in) {
    with_type(dtype, [&](auto stored) {
      using In = decltype(in);
      using Out = decltype(stored);
      for (size_t first = 0; first < heads.size(); first += kHeadsPerLaunch) {
        const size_t count = std::min(kHeadsPerLaunch, heads.size() - first);
        Heads some{};
        std::copy_n(heads.begin() + static_cast<std::ptrdiff_t>(first), count, some.rows);
        const auto from = [&](const ConstView& view) {
          return Rows<const In>{rows_as<In>(view).data + first * head_dim, view.stride / sizeof(In)};
        };
        const size_t values = k.rows * count * head_dim;
        const auto run = [&](auto kernel, size_t items) {
          launch_overlapping(kernel, blocks_for(items, kThreads), kThreads, stream, from(k), from(v), some, count,
                             k.rows, head_dim, at);
        };
        if (packs) {
          run(store_heads<In, Out, 8>, values / 8);
        } else {
          run(store_heads<In, Out, 1>, values);
        }
      }
    });
  });
}

void gather_rows(const ConstView& from, const uint32_t* index, const View& to, cudaStream_t stream) {
  if (to.rows * to.cols == 0) return;
  if (from.dtype == to.dtype) {
    const BlockShape shape = block_shape(to.dtype);
    const size_t bytes = (to.cols + shape.values - 1) / shape.values * shape.bytes;
    copy_rows(from, index, to, bytes, stream);
  } else {
    check(to.dtype == DType::q8_0 || to.dtype == DType::q4_0, "gather_rows: rows are copied, or become q8_0 or q4_0");
    const unsigned blocks = blocks_for(to.rows * ((to.cols + kBlock - 1) / kBlock), kThreads);
    with_type(from.dtype, [&](auto type) {
      using In = decltype(type);
      const auto kernel = to.dtype == DType::q8_0 ? quantise_rows<In, true> : quantise_rows<In, false>;
      kernel<<<blocks, kThreads, 0, stream>>>(rows_as<In>(from), index, static_cast<uint8_t*>(to.data), to.stride,
                                              to.rows, to.cols);
    });
  }
  check_launch("gathering rows");
}

}  // namespace kvzip::cuda
