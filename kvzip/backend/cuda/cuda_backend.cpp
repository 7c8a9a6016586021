#include "kvzip/backend/cuda/cuda_backend.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "kvzip/backend/cuda/copy_head_rows.h"
#include "kvzip/backend/cuda/device.h"
#include "kvzip/backend/cuda/elementwise.h"
#include "kvzip/backend/cuda/find_candidates.h"
#include "kvzip/backend/cuda/find_largest.h"
#include "kvzip/backend/cuda/kernel_recording.h"
#include "kvzip/backend/cuda/linear_row.h"
#include "kvzip/backend/cuda/prepare_heads.h"
#include "kvzip/backend/cuda/rows.h"
#include "kvzip/base/check.h"

namespace kvzip {
namespace {

/// An activation of that shape.
bool is_matrix(const ConstView& view, size_t rows, size_t cols) {
  return (view.dtype == DType::f32 || view.dtype == DType::bf16) && view.rows == rows && view.cols == cols;
}

void check_linear(const ConstView& x, std::span<const LinearPart> parts) {
  for (const LinearPart& part : parts) {
    check(part.weight.cols == x.cols, "linear: a weight has the columns of x");
    check(is_matrix(part.out, x.rows, part.weight.rows), "linear: out is [tokens, rows of the weight]");
  }
}

size_t selected(size_t index) {
  select_gpu(index);
  return index;
}

}  // namespace

CudaBackend::CudaBackend(size_t index)
    : index_(selected(index)),
      memory_(stream_.get()),
      staging_(stream_.get()),
      linear_(memory_, stream_.get()),
      attention_(memory_, staging_, stream_.get()) {}

CudaBackend::~CudaBackend() { cudaStreamSynchronize(stream_.get()); }

cudaStream_t CudaBackend::stream() const {
  cuda_check(cudaSetDevice(static_cast<int>(index_)), "selecting a GPU");  // the current GPU is a thread's own affair
  return stream_.get();
}

Buffer CudaBackend::on_device(const void* host, size_t bytes) {
  Buffer buffer(*this, bytes);
  staging_.upload(buffer.data(), host, bytes);
  return buffer;
}

/// Of all heads one after the other, each from where it lies.
Buffer CudaBackend::indexes_on_device(std::span<const HeadGather> heads) {
  size_t count = 0;
  for (const HeadGather& head : heads) count += head.index.size();
  if (count == 0) return {};
  Buffer buffer(*this, count * sizeof(uint32_t));
  auto* next = static_cast<uint32_t*>(buffer.data());
  for (const HeadGather& head : heads) {
    staging_.upload(next, head.index.data(), head.index.size_bytes());
    next += head.index.size();
  }
  return buffer;
}

void* CudaBackend::acquire(size_t bytes) {
  stream();
  return memory_.acquire(bytes);
}

void CudaBackend::release(void* data, size_t) noexcept { memory_.release(data); }

std::string CudaBackend::description() const { return describe_gpu(index_); }

size_t CudaBackend::available_memory() const {
  stream();
  return memory_.available();
}

// Quantised weights stay as they are where a decoded token can read them so.
DType CudaBackend::weight_type(DType stored) const {
  return precision_ == Precision::fast && cuda::multiplies_rows_of(stored) ? stored : activation_type();
}

size_t CudaBackend::peak_memory() const {
  stream();
  return memory_.peak();
}

void CudaBackend::synchronize() {
  cuda::announce_other_work();
  cuda_check(cudaStreamSynchronize(stream()), "the GPU's work");
}

void CudaBackend::upload(void* device, const void* host, size_t bytes) {
  stream();
  staging_.upload(device, host, bytes);
}

void CudaBackend::download(void* host, const void* device, size_t bytes) {
  stream();
  staging_.download(host, device, bytes);
}

void CudaBackend::copy(void* to, const void* from, size_t bytes) {
  if (bytes == 0 || to == from) return;
  cuda::announce_other_work();
  const auto* const begin = static_cast<const std::byte*>(from);
  const auto* const target = static_cast<const std::byte*>(to);
  const bool overlap = target < begin + bytes && begin < target + bytes;
  if (!overlap) {
    cuda_check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream()), "copying on the GPU");
    return;
  }
  const Buffer between(*this, bytes);
  copy(between.data(), from, bytes);
  copy(to, between.data(), bytes);
}

ConstView CudaBackend::adopt(const ConstView& host, Buffer& keep_alive) {
  keep_alive = Buffer(*this, host.rows * host.stride);
  upload(keep_alive.data(), host.data, host.rows * host.stride);
  return {keep_alive.data(), host.dtype, host.rows, host.cols, host.stride};
}

void CudaBackend::convert(const ConstView& in, const View& out) {
  check(out.rows == in.rows && out.cols == in.cols, "convert: out is of the shape of in");
  cuda::convert(in, out, stream());
}

void CudaBackend::embed(std::span<const int32_t> ids, const ConstView& table, float scale, const View& out) {
  check(is_matrix(out, ids.size(), table.cols), "embed: out is [ids, cols]");
  const auto known = [&](int32_t id) { return id >= 0 && static_cast<size_t>(id) < table.rows; };
  check(std::all_of(ids.begin(), ids.end(), known), "embed: ids are below the rows of the table");
  const Buffer on_gpu = on_device(ids.data(), ids.size_bytes());
  cuda::embed(static_cast<const int32_t*>(on_gpu.data()), table, scale, out, stream());
}

void CudaBackend::rms_norm(const ConstView& x, const float* weight, float eps, const View& out) {
  check(is_matrix(x, x.rows, x.cols) && is_matrix(out, x.rows, x.cols), "rms_norm: x and out are of one shape");
  cuda::rms_norm(x, weight, eps, out, stream());
}

void CudaBackend::layer_norm(const ConstView& x, const float* weight, const float* bias, float eps, const View& out) {
  check(is_matrix(x, x.rows, x.cols) && is_matrix(out, x.rows, x.cols), "layer_norm: x and out are of one shape");
  cuda::layer_norm(x, weight, bias, eps, out, stream());
}

void CudaBackend::linear(const LinearInput& in, std::span<const LinearPart> parts) {
  stream();
  check_linear(in.x, parts);
  if (in.x.cols == 0) return;
  if (cuda::can_multiply_row(in, parts)) return cuda::multiply_row(in, parts, stream());
  const ConstView x = rows_of_input(in);
  for (const LinearPart& part : parts) linear_.run(x, part);
}

void CudaBackend::gated_linear(const LinearInput& in, const LinearPart& gate, const LinearPart& up,
                               Activation activation) {
  if (!cuda::can_multiply_row_gated(in, gate, up)) return Backend::gated_linear(in, gate, up, activation);
  check_linear(in.x, std::array{gate, up});
  cuda::multiply_row_gated(in, gate, up, activation, stream());
}

void CudaBackend::gated_activation(const View& gate, const ConstView& up, Activation activation) {
  check(is_matrix(gate, gate.rows, gate.cols) && is_matrix(up, gate.rows, gate.cols), "gated_activation: one shape");
  cuda::gated_activation(gate, up, activation, stream());
}

void CudaBackend::activate(const View& x, Activation activation) {
  check(is_matrix(x, x.rows, x.cols), "activate: x is a matrix");
  cuda::activate(x, activation, stream());
}

void CudaBackend::add(const View& x, const ConstView& y) {
  check(is_matrix(x, x.rows, x.cols) && is_matrix(y, x.rows, x.cols), "add: one shape");
  cuda::add(x, y, stream());
}

void CudaBackend::rope(const View& x, size_t head_dim, const ConstView& cos_sin, RopePairing pairing) {
  check(is_matrix(x, x.rows, x.cols) && head_dim > 0 && x.cols % head_dim == 0, "rope: x has whole heads");
  check(cos_sin.dtype == DType::f32 && cos_sin.rows == x.rows, "rope: a row of cosines and sines for each row of x");
  check(cos_sin.cols % 2 == 0 && cos_sin.cols <= head_dim, "rope: cosines and sines of at most head_dim values");
  cuda::rope(x, head_dim, cos_sin, pairing, stream());
}

void CudaBackend::store_kv(const ConstView& k, const ConstView& v, std::span<const KvRows> heads, DType dtype,
                           size_t at) {
  check(is_matrix(k, k.rows, k.cols) && is_matrix(v, k.rows, k.cols), "store_kv: k and v are of one shape");
  check(!heads.empty() && k.cols % heads.size() == 0, "store_kv: k holds the same number of values for each head");
  cuda::store_kv(k, v, heads, dtype, at, stream());
}

void CudaBackend::prepare_heads(const HeadRows& rows) {
  if (!cuda::can_prepare_heads(rows)) return Backend::prepare_heads(rows);
  const auto has_heads = [&](const ConstView& view) {
    return view.rows == 0 || (is_matrix(view, view.rows, view.cols) && view.cols % rows.head_dim == 0);
  };
  check(has_heads(rows.q) && has_heads(rows.k), "prepare_heads: q and k have whole heads");
  check(rows.k.rows == 0 || is_matrix(rows.v, rows.k.rows, rows.k.cols), "prepare_heads: v is of the shape of k");
  check(rows.q.rows == 0 || rows.k.rows == 0 || rows.q.dtype == rows.k.dtype, "prepare_heads: q and k are of one type");
  check(rows.k.rows == 0 || rows.v.dtype == rows.k.dtype, "prepare_heads: k and v are of one type");
  const size_t tokens = std::max(rows.q.rows, rows.k.rows);
  const size_t kv_heads = rows.k.rows == 0 ? 0 : rows.k.cols / rows.head_dim;
  check(rows.heads.size() == kv_heads || rows.heads.size() == tokens * kv_heads, "prepare_heads: sets of rows");
  check(rows.cos_sin.cols == 0 || (rows.cos_sin.dtype == DType::f32 && rows.cos_sin.rows == tokens),
        "prepare_heads: a row of cosines and sines for each token");
  check(rows.cos_sin.cols % 2 == 0 && rows.cos_sin.cols <= rows.head_dim, "prepare_heads: angles of a head");
  cuda::prepare_heads(rows, stream());
}

void CudaBackend::gather_rows(const ConstView& from, std::span<const uint32_t> index, const View& to) {
  check(to.rows == index.size() && to.cols == from.cols, "gather_rows: a row of the same values for each index");
  if (index.empty()) return;
  const Buffer on_gpu = on_device(index.data(), index.size_bytes());
  cuda::gather_rows(from, static_cast<const uint32_t*>(on_gpu.data()), to, stream());
}

void CudaBackend::gather_heads(std::span<const HeadGather> heads, DType from, DType to, size_t head_dim) {
  if (from != to || !cuda::can_copy_head_rows(heads, from, head_dim)) {
    return Backend::gather_heads(heads, from, to, head_dim);
  }
  const std::vector<std::byte> plan = cuda::plan_head_rows(heads);
  if (plan.empty()) return;
  const Buffer on_gpu = on_device(plan.data(), plan.size());
  const Buffer indexes = indexes_on_device(heads);
  cuda::copy_head_rows(heads, on_gpu.data(), static_cast<const uint32_t*>(indexes.data()),
                       padded_row_bytes(from, head_dim), stream());
}

void CudaBackend::attend(const AttendArgs& args) {
  stream();
  attention_.run(args);
}

void CudaBackend::attend_together(std::span<const AttendArgs> calls) {
  stream();
  attention_.run_together(calls);
}

void CudaBackend::likeliest(const ConstView& logits, std::span<size_t> places) {
  check(logits.dtype == DType::f32 && logits.rows == places.size(), "likeliest: logits are f32 [places, n]");
  std::vector<uint64_t> found(places.size());
  if (found.empty()) return;
  const Buffer on_gpu(*this, found.size() * sizeof(uint64_t));
  cuda::find_largest(logits, static_cast<uint64_t*>(on_gpu.data()), stream());
  download(found.data(), on_gpu.data(), on_gpu.bytes());
  std::transform(found.begin(), found.end(), places.begin(),
                 [&](uint64_t one) { return cuda::place_of_largest(one, logits.cols); });
}

bool CudaBackend::find_candidates(const ConstView& logits, size_t count, std::vector<Candidate>& found) {
  constexpr size_t kTies = 256;  // with the last of those wanted; beyond, the host takes all logits
  check(logits.dtype == DType::f32 && logits.rows == 1 && count > 0, "find_candidates: logits are f32 [1, n]");
  found.clear();
  if (logits.cols == 0) return true;
  count = std::min(count, logits.cols);
  const size_t room = count + kTies;
  const Buffer workspace(*this, cuda::find_candidates_workspace_bytes());
  const Buffer on_gpu(*this, cuda::FoundCandidates::bytes(room));
  cuda::find_candidates(static_cast<const float*>(logits.data), logits.cols, count,
                        static_cast<cuda::FoundCandidates*>(on_gpu.data()), room, workspace.data(), stream());
  std::vector<std::byte> on_host(on_gpu.bytes());
  download(on_host.data(), on_gpu.data(), on_host.size());
  cuda::FoundCandidates header{};
  std::memcpy(&header, on_host.data(), sizeof(header));
  if (header.count > room) return false;
  found.resize(header.count);
  std::memcpy(found.data(), on_host.data() + sizeof(header), found.size() * sizeof(Candidate));
  std::ranges::sort(found, {}, &Candidate::id);
  return true;
}

std::unique_ptr<Recording> CudaBackend::make_recording() { return std::make_unique<cuda::KernelRecording>(stream()); }

std::unique_ptr<Backend> make_cuda_backend(size_t index) { return std::make_unique<CudaBackend>(index); }

}  // namespace kvzip
