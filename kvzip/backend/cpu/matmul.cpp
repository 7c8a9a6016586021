#include "kvzip/backend/cpu/matmul.h"

#include <string>

#include "kvzip/base/error.h"
#include "kvzip/base/parallel.h"

namespace kvzip {
namespace {

using Tag = dnnl::memory::format_tag;

/// A model's layers have some five shapes for each number of rows; a product takes 0.4 ms to make and some 20 KB.
constexpr size_t kMostProducts = 128;

dnnl::memory::data_type type_of(bool bf16) {
  return bf16 ? dnnl::memory::data_type::bf16 : dnnl::memory::data_type::f32;
}

dnnl::memory::dim dim(size_t value) { return static_cast<dnnl::memory::dim>(value); }

/// The layout of panels.h in oneDNN's words: b = rows of 64, a = depth of 16 words, 2 bf16 to a word.
dnnl::memory::desc panels(size_t in, size_t out, bool bf16) {
  return {{dim(in), dim(out)}, type_of(bf16), bf16 ? Tag::BA16a64b2a : Tag::BA16a64b};
}

[[noreturn]] void rethrow(const dnnl::error& error) {
  const ErrorCode code = error.status == dnnl_out_of_memory ? ErrorCode::memory : ErrorCode::internal;
  throw Error(code, std::string("matrix product failed in oneDNN: ") + error.what());
}

}  // namespace

Matmul::Matmul() : engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {}

bool Matmul::prefers_panels(bool bf16) const {
  constexpr dnnl::memory::dim kRows = 256;  // any ordinary shape will do
  const dnnl::memory::desc x({kRows, kRows}, type_of(bf16), Tag::ab);
  const dnnl::memory::desc weight({kRows, kRows}, type_of(bf16), Tag::any);
  const dnnl::memory::desc out({kRows, kRows}, dnnl::memory::data_type::f32, Tag::ab);
  try {
    const dnnl::matmul::primitive_desc product({x, weight, out}, engine_);
    return product.weights_desc() == panels(kRows, kRows, bf16);
  } catch (const dnnl::error& error) {
    rethrow(error);
  }
}

Matmul::Product Matmul::make_product(const MatmulShape& shape) const {
  const dnnl::memory::dim rows = dim(shape.rows);
  const dnnl::memory::dim out_cols = dim(shape.out);
  const auto f32 = dnnl::memory::data_type::f32;
  const dnnl::memory::desc x({rows, dim(shape.in)}, type_of(shape.bf16), {dim(shape.x_stride), 1});
  const dnnl::memory::desc out({rows, out_cols}, f32, Tag::ab);
  const dnnl::memory::desc bias({1, out_cols}, f32, Tag::ab);
  const dnnl::memory::desc weight =
      shape.weight_stride == 0
          ? panels(shape.in, shape.out, shape.bf16)
          : dnnl::memory::desc({dim(shape.in), out_cols}, type_of(shape.bf16), {1, dim(shape.weight_stride)});

  dnnl::primitive_attr attributes;
  if (shape.accumulate) {
    dnnl::post_ops add;
    add.append_sum(1.0F);
    attributes.set_post_ops(add);
  }
  const auto description =
      shape.has_bias ? dnnl::matmul::desc(x, weight, bias, out) : dnnl::matmul::desc(x, weight, out);
  Product product;
  product.primitive = dnnl::matmul(dnnl::matmul::primitive_desc(description, attributes, engine_));
  product.arguments = {{DNNL_ARG_SRC, dnnl::memory(x, engine_, nullptr)},
                       {DNNL_ARG_WEIGHTS, dnnl::memory(weight, engine_, nullptr)},
                       {DNNL_ARG_DST, dnnl::memory(out, engine_, nullptr)}};
  if (shape.has_bias) product.arguments.emplace(DNNL_ARG_BIAS, dnnl::memory(bias, engine_, nullptr));
  return product;
}

void Matmul::run(const MatmulShape& shape, const MatmulData& data) {
  try {
    const auto key = std::make_pair(thread_count(), shape);
    auto found = products_.find(key);
    if (found == products_.end()) {
      if (products_.size() >= kMostProducts) products_.clear();
      found = products_.emplace(key, make_product(shape)).first;
    }
    auto& [primitive, arguments] = found->second;
    // oneDNN has no read-only memory; it writes to DNNL_ARG_DST alone.
    arguments[DNNL_ARG_SRC].set_data_handle(const_cast<void*>(data.x));
    arguments[DNNL_ARG_WEIGHTS].set_data_handle(const_cast<void*>(data.weight));
    arguments[DNNL_ARG_DST].set_data_handle(data.out);
    if (shape.has_bias) arguments[DNNL_ARG_BIAS].set_data_handle(const_cast<float*>(data.bias));
    primitive.execute(stream_, arguments);
    stream_.wait();
  } catch (const dnnl::error& error) {
    rethrow(error);
  }
}

}  // namespace kvzip
