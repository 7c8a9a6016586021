// Matrix products through oneDNN: out = x * weight^T, primitives kept by shape. One owner, one thread at a time; a
// product uses all threads by itself.
#pragma once

#include <compare>
#include <cstddef>
#include <map>
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>
#include <utility>

namespace kvzip {

/// All that oneDNN compiles into a product. Strides count values.
struct MatmulShape {
  size_t rows;           ///< of x and out
  size_t in;             ///< columns of x
  size_t out;            ///< columns of out, whose rows have no gaps
  size_t x_stride;       ///< between rows of x
  size_t weight_stride;  ///< between rows `[out, in]` of the weight; 0 = packed in panels (panels.h)
  bool bf16;             ///< x and weight are bf16, else f32; out and bias are f32 always
  bool has_bias;
  bool accumulate;  ///< add to what out holds

  auto operator<=>(const MatmulShape&) const = default;
};

struct MatmulData {
  const void* x;
  const void* weight;
  const float* bias;  ///< null unless has_bias
  float* out;
};

class Matmul {
 public:
  Matmul();

  /// Throws Error{internal} where oneDNN refuses, Error{memory} where it runs out of memory.
  void run(const MatmulShape& shape, const MatmulData& data);

  /// True where oneDNN prefers weights in panels of this type, as it does with AVX-512.
  bool prefers_panels(bool bf16) const;

 private:
  struct Product {
    dnnl::matmul primitive;
    std::unordered_map<int, dnnl::memory> arguments;
  };

  Product make_product(const MatmulShape& shape) const;

  dnnl::engine engine_;
  dnnl::stream stream_;
  std::map<std::pair<size_t, MatmulShape>, Product>
      products_;  ///< by the number of threads they were made for, and shape
};

}  // namespace kvzip
