#include <algorithm>
#include <array>

#include "kvzip/backend/cuda/activation.cuh"
#include "kvzip/backend/cuda/launch.cuh"
#include "kvzip/backend/cuda/linear_row.h"
#include "kvzip/backend/cuda/row_formats.cuh"
#include "kvzip/base/check.h"

namespace kvzip::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kRows = 4;   ///< weight rows of a block, which read the same x
constexpr int kAhead = 2;  ///< units of each row that a thread has under way
constexpr int kMostParts = 3;
constexpr int kUnit = 8;  ///< values of a unit

struct RowPart {
  const uint8_t* weight;
  size_t stride;
  const float* bias;
  void* out;
  int rows;
  int first_block;
  bool out_is_bf16;
  bool accumulate;
};

struct RowParams {
  const void* x;      ///< bf16, or f32 to be normed
  const float* norm;  ///< weights of the norm
  float eps;
  int cols;
  int units;  ///< of x
  int part_count;
  Activation activation;  ///< of a gated product
  RowPart parts[kMostParts];

  __device__ const uint8_t* row(int part, int index) const {
    return parts[part].weight + static_cast<size_t>(min(index, parts[part].rows - 1)) * parts[part].stride;
  }
};

/// kCount values of the input from column `col` on.
struct PlainInput {
  static constexpr bool kNormed = false;
  template <int kCount>
  static __device__ void read(const RowParams& params, int col, float (&x)[kCount]) {
    load<kCount>(static_cast<const __nv_bfloat16*>(params.x) + col, x);
  }
};

/// The norm's weights included; its factor is left to the end, as it is the same for all values.
struct NormedInput {
  static constexpr bool kNormed = true;
  template <int kCount>
  static __device__ void read(const RowParams& params, int col, float (&x)[kCount], float& squares) {
    float weight[kCount];
    load<kCount>(static_cast<const float*>(params.x) + col, x);
    load<kCount>(params.norm + col, weight);
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      squares += x[i] * x[i];
      x[i] *= weight[i];
    }
  }
};

/// Some rows of weights times x, a thread walking units threadIdx.x, + kThreads, ...
template <class Format, class Input>
class RowSums {
 public:
  /// Starts to read weights, which no kernel writes.
  __device__ RowSums(const RowParams& params, const uint8_t* const (&rows)[kRows]) : params_(params) {
#pragma unroll
    for (int r = 0; r < kRows; ++r) rows_[r] = rows[r];
    fetch(static_cast<int>(threadIdx.x));
  }

  /// For after wait_for_previous_kernel().
  __device__ void run() {
    for (int first = static_cast<int>(threadIdx.x); first < params_.units; first += kAhead * kThreads) {
#pragma unroll
      for (int a = 0; a < kAhead; ++a) {
        if (first + a * kThreads < params_.units) multiply(a, first + a * kThreads);
      }
      fetch(first + kAhead * kThreads);
    }
  }

  /// The product of row r, in thread r.
  __device__ float over_block() {
    __shared__ float partial[kThreads / 32][kSums];
#pragma unroll
    for (int r = 0; r < kSums; ++r) {
#pragma unroll
      for (int offset = 16; offset > 0; offset /= 2) sums_[r] += __shfl_xor_sync(~0U, sums_[r], offset);
      if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32][r] = sums_[r];
    }
    __syncthreads();
    if (threadIdx.x >= kRows) return 0;
    float sum = 0;
    float squares = 0;
    for (unsigned warp = 0; warp < blockDim.x / 32; ++warp) {
      sum += partial[warp][threadIdx.x];
      if constexpr (Input::kNormed) squares += partial[warp][kRows];
    }
    if constexpr (Input::kNormed) sum /= sqrtf(squares / static_cast<float>(params_.cols) + params_.eps);
    return sum;
  }

 private:
  static constexpr int kSums = kRows + (Input::kNormed ? 1 : 0);  ///< the last: squares of the input

  template <int kCount>
  __device__ void read(int col, float (&x)[kCount]) {
    if constexpr (Input::kNormed) {
      Input::read(params_, col, x, sums_[kRows]);
    } else {
      Input::read(params_, col, x);
    }
  }

  __device__ void fetch(int first) {
#pragma unroll
    for (int a = 0; a < kAhead; ++a) {
      const int unit = first + a * kThreads;
      if (unit >= params_.units) continue;
#pragma unroll
      for (int r = 0; r < kRows; ++r) weights_[a][r] = Format::load(rows_[r], unit);
    }
  }

  __device__ void multiply(int a, int unit) {
    const Columns columns = Format::columns(unit);
    float x[kUnit];
    if constexpr (Format::kContiguous) {
      read(columns.first, x);
    } else {
      float quads[2][4];
      read(columns.first, quads[0]);
      read(columns.second, quads[1]);
#pragma unroll
      for (int i = 0; i < kUnit; ++i) x[i] = quads[i / 4][i % 4];
    }
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      float weights[kUnit];
      Format::values(weights_[a][r], unit, weights);
#pragma unroll
      for (int i = 0; i < kUnit; ++i) sums_[r] += weights[i] * x[i];
    }
  }

  const RowParams& params_;
  const uint8_t* rows_[kRows];
  typename Format::Raw weights_[kAhead][kRows];
  float sums_[kSums] = {};
};

__device__ void write(const RowPart& part, int row, float value) {
  if (part.out_is_bf16) {
    auto* const out = static_cast<__nv_bfloat16*>(part.out) + row;
    *out = from_f32<__nv_bfloat16>(part.accumulate ? value + to_f32(*out) : value);
  } else {
    auto* const out = static_cast<float*>(part.out) + row;
    *out = part.accumulate ? value + *out : value;
  }
}

__device__ float with_bias(const RowPart& part, int row, float sum) {
  return part.bias == nullptr ? sum : sum + part.bias[row];
}

template <class Format, class Input>
__global__ void __launch_bounds__(kThreads) multiply_kernel(const __grid_constant__ RowParams params) {
  int part = 0;
  const int block = static_cast<int>(blockIdx.x);
  while (part + 1 < params.part_count && block >= params.parts[part + 1].first_block) ++part;
  const int first = (block - params.parts[part].first_block) * kRows;
  const uint8_t* rows[kRows];
#pragma unroll
  for (int r = 0; r < kRows; ++r) rows[r] = params.row(part, first + r);
  RowSums<Format, Input> sums(params, rows);
  wait_for_previous_kernel();
  let_next_kernel_start();
  sums.run();
  const float sum = sums.over_block();
  const int row = first + static_cast<int>(threadIdx.x);
  if (threadIdx.x >= kRows || row >= params.parts[part].rows) return;
  write(params.parts[part], row, with_bias(params.parts[part], row, sum));
}

/// Half of a block's rows are the gate's, the others the same rows of `up`.
template <class Format, class Input>
__global__ void __launch_bounds__(kThreads) multiply_gated_kernel(const __grid_constant__ RowParams params) {
  constexpr int kPairs = kRows / 2;
  const RowPart& gate = params.parts[0];
  const int first = static_cast<int>(blockIdx.x) * kPairs;
  const uint8_t* rows[kRows];
#pragma unroll
  for (int r = 0; r < kRows; ++r) rows[r] = params.row(r / kPairs, first + r % kPairs);
  RowSums<Format, Input> sums(params, rows);
  wait_for_previous_kernel();
  let_next_kernel_start();
  sums.run();
  const float sum = sums.over_block();
  __shared__ float products[kRows];
  if (threadIdx.x < kRows) products[threadIdx.x] = sum;
  __syncthreads();
  const int row = first + static_cast<int>(threadIdx.x);
  if (threadIdx.x >= kPairs || row >= gate.rows) return;
  const float opened = activated(with_bias(gate, row, products[threadIdx.x]), params.activation);
  write(gate, row, opened * with_bias(params.parts[1], row, products[threadIdx.x + kPairs]));
}

RowParams params_of(const LinearInput& in, std::span<const LinearPart> parts) {
  RowParams params{};
  params.x = in.x.data;
  params.norm = in.norm;
  params.eps = in.eps;
  params.cols = static_cast<int>(in.x.cols);
  params.units = static_cast<int>(in.x.cols / kUnit);
  int blocks = 0;
  for (const LinearPart& part : parts) {
    params.parts[params.part_count++] = {static_cast<const uint8_t*>(part.weight.data),
                                         part.weight.stride,
                                         part.bias,
                                         part.out.data,
                                         static_cast<int>(part.weight.rows),
                                         blocks,
                                         part.out.dtype == DType::bf16,
                                         part.accumulate};
    blocks += static_cast<int>(blocks_for(part.weight.rows, kRows));
  }
  return params;
}

/// Whole warps, and none that would have nothing to do.
unsigned threads_for(int units) { return static_cast<unsigned>(std::clamp((units + 31) / 32 * 32, 32, kThreads)); }

/// Bytes that the widest load of a format needs rows to be aligned to.
size_t alignment_of(DType dtype) { return dtype == DType::bf16 ? 16 : dtype == DType::q4_k ? 4 : 2; }

bool is_readable(const LinearPart& part) {
  constexpr size_t kMostRows = size_t{1} << 24U;
  const size_t alignment = alignment_of(part.weight.dtype);
  return has_row_format(part.weight.dtype) && part.weight.rows > 0 && part.weight.rows <= kMostRows &&
         part.weight.stride % alignment == 0 && reinterpret_cast<uintptr_t>(part.weight.data) % alignment == 0 &&
         (part.out.dtype == DType::bf16 || part.out.dtype == DType::f32);
}

/// Calls body.operator()<Format, Input>().
template <class Body>
void with_kinds(DType weights, bool normed, const Body& body) {
  with_row_format(weights, [&]<DType kType>() {
    if (normed) return body.template operator()<RowFormat<kType>, NormedInput>();
    body.template operator()<RowFormat<kType>, PlainInput>();
  });
}

/// Parts of one type.
void multiply_alike(const LinearInput& in, std::span<const LinearPart> parts, cudaStream_t stream) {
  const RowParams params = params_of(in, parts);
  const RowPart& last = params.parts[params.part_count - 1];
  const unsigned blocks = static_cast<unsigned>(last.first_block) + blocks_for(static_cast<size_t>(last.rows), kRows);
  with_kinds(parts.front().weight.dtype, in.norm != nullptr, [&]<class Format, class Input>() {
    launch_overlapping(multiply_kernel<Format, Input>, blocks, threads_for(params.units), stream, params);
  });
}

}  // namespace

bool multiplies_rows_of(DType dtype) { return has_row_format(dtype); }

bool can_multiply_row(const LinearInput& in, std::span<const LinearPart> parts) {
  const bool readable = in.norm == nullptr ? in.x.dtype == DType::bf16
                                           : in.x.dtype == DType::f32 && reinterpret_cast<uintptr_t>(in.norm) % 16 == 0;
  return in.x.rows == 1 && readable && packs_by(in.x, kUnit) && std::all_of(parts.begin(), parts.end(), is_readable);
}

void multiply_row(const LinearInput& in, std::span<const LinearPart> parts, cudaStream_t stream) {
  check(can_multiply_row(in, parts), "a row product handles its arguments");
  while (!parts.empty()) {
    size_t alike = 1;
    const size_t most = std::min<size_t>(parts.size(), kMostParts);
    while (alike < most && parts[alike].weight.dtype == parts[0].weight.dtype) ++alike;
    multiply_alike(in, parts.first(alike), stream);
    parts = parts.subspan(alike);
  }
}

bool can_multiply_row_gated(const LinearInput& in, const LinearPart& gate, const LinearPart& up) {
  return can_multiply_row(in, std::array{gate, up}) && gate.weight.dtype == up.weight.dtype &&
         gate.weight.rows == up.weight.rows && !gate.accumulate;
}

void multiply_row_gated(const LinearInput& in, const LinearPart& gate, const LinearPart& up, Activation activation,
                        cudaStream_t stream) {
  check(can_multiply_row_gated(in, gate, up), "a gated row product handles its arguments");
  RowParams params = params_of(in, std::array{gate, up});
  params.activation = activation;
  with_kinds(gate.weight.dtype, in.norm != nullptr, [&]<class Format, class Input>() {
    launch_overlapping(multiply_gated_kernel<Format, Input>, blocks_for(gate.weight.rows, kRows / 2),
                       threads_for(params.units), stream, params);
  });
}

}  // namespace kvzip::cuda
