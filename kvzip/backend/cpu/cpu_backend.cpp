#include "kvzip/backend/cpu/cpu_backend.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "kvzip/backend/cpu/activation.h"
#include "kvzip/backend/cpu/attention.h"
#include "kvzip/backend/cpu/cpu_info.h"
#include "kvzip/backend/cpu/cpu_memory.h"
#include "kvzip/backend/cpu/elementwise.h"
#include "kvzip/backend/cpu/norms.h"
#include "kvzip/backend/cpu/rows.h"
#include "kvzip/base/check.h"

namespace kvzip {
namespace {

bool is_f32(const ConstView& view, size_t rows, size_t cols) {
  return view.dtype == DType::f32 && view.rows == rows && view.cols == cols;
}

}  // namespace

CpuBackend::CpuBackend() { require_supported_cpu(); }

void* CpuBackend::acquire(size_t bytes) { return acquire_cpu_memory(bytes); }

void CpuBackend::release(void* data, size_t bytes) noexcept { release_cpu_memory(data, bytes); }

std::string CpuBackend::description() const { return describe_cpu(); }

size_t CpuBackend::available_memory() const { return available_cpu_memory(); }

size_t CpuBackend::peak_memory() const { return peak_cpu_memory(); }

void CpuBackend::copy(void* to, const void* from, size_t bytes) {
  if (bytes > 0) std::memmove(to, from, bytes);
}

ConstView CpuBackend::adopt(const ConstView& host, Buffer& keep_alive) {
  keep_alive = Buffer();
  return host;
}

void CpuBackend::convert(const ConstView& in, const View& out) {
  check(out.rows == in.rows && out.cols == in.cols, "convert: out is of the shape of in");
  check(out.dtype == DType::f32 || out.dtype == DType::f16 || out.dtype == DType::bf16,
        "convert: out is f32, f16 or bf16");
  convert_cpu(in, out);
}

void CpuBackend::embed(std::span<const int32_t> ids, const ConstView& table, float scale, const View& out) {
  check(is_f32(out, ids.size(), table.cols), "embed: out is f32 [ids, cols]");
  const auto known = [&](int32_t id) { return id >= 0 && static_cast<size_t>(id) < table.rows; };
  check(std::all_of(ids.begin(), ids.end(), known), "embed: ids are below the rows of the table");
  embed_cpu(ids, table, scale, out);
}

void CpuBackend::rms_norm(const ConstView& x, const float* weight, float eps, const View& out) {
  check(is_f32(x, x.rows, x.cols) && is_f32(out, x.rows, x.cols), "rms_norm: x and out are f32 of one shape");
  rms_norm_cpu(x, weight, eps, out);
}

void CpuBackend::layer_norm(const ConstView& x, const float* weight, const float* bias, float eps, const View& out) {
  check(is_f32(x, x.rows, x.cols) && is_f32(out, x.rows, x.cols), "layer_norm: x and out are f32 of one shape");
  layer_norm_cpu(x, weight, bias, eps, out);
}

void CpuBackend::linear(const LinearInput& in, std::span<const LinearPart> parts) {
  const ConstView x = rows_of_input(in);
  check(is_f32(x, x.rows, x.cols), "linear: x is f32");
  for (const LinearPart& part : parts) {
    check(part.weight.cols == x.cols, "linear: a weight has the columns of x");
    check(is_f32(part.out, x.rows, part.weight.rows), "linear: out is f32 [tokens, rows of the weight]");
  }
  if (x.rows > 0 && x.cols > 0) linear_.run(x, parts, precision_);
}

void CpuBackend::gated_activation(const View& gate, const ConstView& up, Activation activation) {
  check(is_f32(gate, gate.rows, gate.cols) && is_f32(up, gate.rows, gate.cols), "gated_activation: f32 of one shape");
  gated_activation_cpu(gate, up, activation);
}

void CpuBackend::activate(const View& x, Activation activation) {
  check(is_f32(x, x.rows, x.cols), "activate: x is f32");
  activate_cpu(x, activation);
}

void CpuBackend::add(const View& x, const ConstView& y) {
  check(is_f32(x, x.rows, x.cols) && is_f32(y, x.rows, x.cols), "add: f32 of one shape");
  add_cpu(x, y);
}

void CpuBackend::rope(const View& x, size_t head_dim, const ConstView& cos_sin, RopePairing pairing) {
  check(is_f32(x, x.rows, x.cols) && head_dim > 0 && x.cols % head_dim == 0, "rope: x is f32, whole heads");
  check(is_f32(cos_sin, x.rows, cos_sin.cols), "rope: a row of cosines and sines for each row of x");
  check(cos_sin.cols % 2 == 0 && cos_sin.cols <= head_dim, "rope: cosines and sines of at most head_dim values");
  rope_cpu(x, head_dim, cos_sin, pairing);
}

void CpuBackend::store_kv(const ConstView& k, const ConstView& v, std::span<const KvRows> heads, DType dtype,
                          size_t at) {
  check(is_f32(k, k.rows, k.cols) && is_f32(v, k.rows, k.cols), "store_kv: k and v are f32 of one shape");
  check(!heads.empty() && k.cols % heads.size() == 0, "store_kv: k holds the same number of values for each head");
  check(dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16, "store_kv: rows are f32, f16 or bf16");
  store_kv_cpu(k, v, heads, dtype, at);
}

void CpuBackend::gather_rows(const ConstView& from, std::span<const uint32_t> index, const View& to) {
  check(to.rows == index.size() && to.cols == from.cols, "gather_rows: a row of the same values for each index");
  check(from.dtype == to.dtype || (!is_quantised(from.dtype) && (to.dtype == DType::q8_0 || to.dtype == DType::q4_0)),
        "gather_rows: rows are copied, or quantised to q8_0 or q4_0");
  gather_rows_cpu(from, index, to);
}

void CpuBackend::attend(const AttendArgs& args) { attend_cpu(args, precision_); }

void CpuBackend::likeliest(const ConstView& logits, std::span<size_t> places) {
  check(is_f32(logits, places.size(), logits.cols), "likeliest: logits are f32 [places, n]");
  for (size_t row = 0; row < places.size(); ++row) {
    const auto* const values = static_cast<const float*>(rows_of(logits, row, 1).data);
    float best = -std::numeric_limits<float>::infinity();
    places[row] = logits.cols;
    for (size_t i = 0; i < logits.cols; ++i) {
      const float value = std::min(values[i], std::numeric_limits<float>::max());
      if (value > best) {
        best = value;
        places[row] = i;
      }
    }
  }
}

std::unique_ptr<Backend> make_cpu_backend() { return std::make_unique<CpuBackend>(); }

}  // namespace kvzip
