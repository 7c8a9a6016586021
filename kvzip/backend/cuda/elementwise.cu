#include "kvzip/backend/cuda/activation.cuh"
#include "kvzip/backend/cuda/decode.cuh"
#include "kvzip/backend/cuda/elementwise.h"
#include "kvzip/backend/cuda/launch.cuh"
#include "kvzip/backend/cuda/values.cuh"

namespace kvzip::cuda {
namespace {

constexpr unsigned kThreads = 256;

/// Calls op(row, col) in a grid of one thread per kPack values of a `[rows, cols]` matrix.
template <int kPack, class Op>
__global__ void for_each(size_t rows, size_t packs, Op op) {
  wait_for_previous_kernel();
  let_next_kernel_start();
  const size_t item = static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (item >= rows * packs) return;
  op(item / packs, item % packs * kPack);
}

template <int kPack, class Op>
void launch(size_t rows, size_t cols, cudaStream_t stream, const Op& op) {
  const size_t packs = cols / kPack;
  if (rows * packs == 0) return;
  launch_overlapping(for_each<kPack, Op>, blocks_for(rows * packs, kThreads), kThreads, stream, rows, packs, op);
}

/// Calls body.operator()<kPack>() with 8 where all views allow it, else 1.
template <class Body>
void with_pack(bool packs, const Body& body) {
  if (packs) return body.template operator()<8>();
  body.template operator()<1>();
}

// The operations: one call does kPack values of a row. (nvcc takes no device lambdas inside generic ones.)

template <class In, class Out, int kPack>
struct Embed {
  const int32_t* ids;
  Rows<const In> table;
  float scale;
  Rows<Out> out;

  __device__ void operator()(size_t row, size_t col) const {
    float values[kPack];
    load<kPack>(table[ids[row]] + col, values);
#pragma unroll
    for (int i = 0; i < kPack; ++i) values[i] *= scale;
    store<kPack>(values, out[row] + col);
  }
};

/// The same from a quantised table, value by value.
template <DType kType, class Out>
struct EmbedPacked {
  const int32_t* ids;
  const uint8_t* table;
  size_t stride;
  BlockShape shape;
  float scale;
  Rows<Out> out;

  __device__ void operator()(size_t row, size_t col) const {
    const uint8_t* const from = table + static_cast<size_t>(ids[row]) * stride;
    out[row][col] = from_f32<Out>(scale * row_value<kType>(from, static_cast<unsigned>(col), shape));
  }
};

template <class T, int kPack>
struct Gate {
  Rows<T> gate;
  Rows<const T> up;
  Activation activation;

  __device__ void operator()(size_t row, size_t col) const {
    float x[kPack];
    float y[kPack];
    load<kPack>(gate[row] + col, x);
    load<kPack>(up[row] + col, y);
#pragma unroll
    for (int i = 0; i < kPack; ++i) x[i] = activated(x[i], activation) * y[i];
    store<kPack>(x, gate[row] + col);
  }
};

template <class T, int kPack>
struct Activate {
  Rows<T> x;
  Activation activation;

  __device__ void operator()(size_t row, size_t col) const {
    float values[kPack];
    load<kPack>(x[row] + col, values);
#pragma unroll
    for (int i = 0; i < kPack; ++i) values[i] = activated(values[i], activation);
    store<kPack>(values, x[row] + col);
  }
};

template <class T, class Added, int kPack>
struct Add {
  Rows<T> x;
  Rows<const Added> y;

  __device__ void operator()(size_t row, size_t col) const {
    float a[kPack];
    float b[kPack];
    load<kPack>(x[row] + col, a);
    load<kPack>(y[row] + col, b);
#pragma unroll
    for (int i = 0; i < kPack; ++i) a[i] += b[i];
    store<kPack>(a, x[row] + col);
  }
};

template <class T, int kPack>
struct AddBias {
  Rows<T> x;
  const float* bias;

  __device__ void operator()(size_t row, size_t col) const {
    float values[kPack];
    load<kPack>(x[row] + col, values);
#pragma unroll
    for (int i = 0; i < kPack; ++i) values[i] += bias[col + i];
    store<kPack>(values, x[row] + col);
  }
};

/// kPack pairs of one head; the two values of a pair lie `apart`, the first values of neighbouring pairs `step` (1
/// where kPack is more than one).
template <class T, int kPack>
struct Rotate {
  Rows<T> x;
  Rows<const float> cos_sin;
  size_t head_dim;
  size_t pairs;
  size_t apart;
  size_t step;

  __device__ void operator()(size_t row, size_t item) const {
    const size_t pair = item % pairs;
    T* const first = x[row] + item / pairs * head_dim + pair * step;
    float a[kPack];
    float b[kPack];
    load<kPack>(first, a);
    load<kPack>(first + apart, b);
#pragma unroll
    for (int i = 0; i < kPack; ++i) {
      const float c = cos_sin[row][pair + i];
      const float s = cos_sin[row][pairs + pair + i];
      const float rotated = a[i] * c - b[i] * s;
      b[i] = b[i] * c + a[i] * s;
      a[i] = rotated;
    }
    store<kPack>(a, first);
    store<kPack>(b, first + apart);
  }
};

}  // namespace

void embed(const int32_t* ids, const ConstView& table, float scale, const View& out, cudaStream_t stream) {
  if (is_quantised(table.dtype)) {
    return with_activation_type(out.dtype, [&](auto result) {
      using Out = decltype(result);
      with_dtype(table.dtype, [&]<DType kType>() {
        launch<1>(out.rows, out.cols, stream,
                  EmbedPacked<kType, Out>{ids, static_cast<const uint8_t*>(table.data), table.stride,
                                          block_shape(table.dtype), scale, rows_as<Out>(out)});
      });
    });
  }
  with_type(table.dtype, [&](auto stored) {
    with_activation_type(out.dtype, [&](auto result) {
      using In = decltype(stored);
      using Out = decltype(result);
      with_pack(packs_by(table, 8) && packs_by(out, 8), [&]<int kPack>() {
        launch<kPack>(out.rows, out.cols, stream,
                      Embed<In, Out, kPack>{ids, rows_as<In>(table), scale, rows_as<Out>(out)});
      });
    });
  });
}

void gated_activation(const View& gate, const ConstView& up, Activation activation, cudaStream_t stream) {
  check(gate.dtype == up.dtype, "gated_activation: gate and up are of one type");
  with_activation_type(gate.dtype, [&](auto type) {
    using T = decltype(type);
    with_pack(packs_by(gate, 8) && packs_by(up, 8), [&]<int kPack>() {
      launch<kPack>(gate.rows, gate.cols, stream, Gate<T, kPack>{rows_as<T>(gate), rows_as<T>(up), activation});
    });
  });
}

void activate(const View& x, Activation activation, cudaStream_t stream) {
  with_activation_type(x.dtype, [&](auto type) {
    using T = decltype(type);
    with_pack(packs_by(x, 8), [&]<int kPack>() {
      launch<kPack>(x.rows, x.cols, stream, Activate<T, kPack>{rows_as<T>(x), activation});
    });
  });
}

void add(const View& x, const ConstView& y, cudaStream_t stream) {
  with_activation_type(x.dtype, [&](auto type) {
    with_activation_type(y.dtype, [&](auto added) {
      using T = decltype(type);
      using Added = decltype(added);
      with_pack(packs_by(x, 8) && packs_by(y, 8), [&]<int kPack>() {
        launch<kPack>(x.rows, x.cols, stream, Add<T, Added, kPack>{rows_as<T>(x), rows_as<Added>(y)});
      });
    });
  });
}

void add_bias(const View& x, const float* bias, cudaStream_t stream) {
  with_activation_type(x.dtype, [&](auto type) {
    using T = decltype(type);
    with_pack(packs_by(x, 8), [&]<int kPack>() {
      launch<kPack>(x.rows, x.cols, stream, AddBias<T, kPack>{rows_as<T>(x), bias});
    });
  });
}

void rope(const View& x, size_t head_dim, const ConstView& cos_sin, RopePairing pairing, cudaStream_t stream) {
  const size_t pairs = cos_sin.cols / 2;
  const size_t heads = x.cols / head_dim;
  const bool halves = pairing == RopePairing::halves;
  with_activation_type(x.dtype, [&](auto type) {
    using T = decltype(type);
    with_pack(halves && pairs % 8 == 0 && head_dim % 8 == 0 && packs_by(x, 8), [&]<int kPack>() {
      launch<kPack>(x.rows, heads * pairs, stream,
                    Rotate<T, kPack>{rows_as<T>(x), rows_as<float>(cos_sin), head_dim, pairs, halves ? pairs : 1,
                                     halves ? size_t{1} : size_t{2}});
    });
  });
}

}  // namespace kvzip::cuda
