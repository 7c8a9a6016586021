#include "kvzip/backend/profiled_backend.h"

namespace kvzip {

void ProfiledBackend::restart() {
  inner_->synchronize();
  calls_.clear();
  start_ = Clock::now();
}

double ProfiledBackend::now() {
  inner_->synchronize();
  return std::chrono::duration<double>(Clock::now() - start_).count();
}

template <class Work>
void ProfiledBackend::timed(std::string_view name, const OperationCost& cost, const Work& work) {
  const double begin = now();
  work();
  calls_.push_back({name, begin, now() - begin, cost});
}

void ProfiledBackend::upload(void* device, const void* host, size_t bytes) {
  timed("upload", {2 * static_cast<double>(bytes), 0}, [&] { inner_->upload(device, host, bytes); });
}

void ProfiledBackend::download(void* host, const void* device, size_t bytes) {
  timed("download", {2 * static_cast<double>(bytes), 0}, [&] { inner_->download(host, device, bytes); });
}

void ProfiledBackend::copy(void* to, const void* from, size_t bytes) {
  timed("copy", {2 * static_cast<double>(bytes), 0}, [&] { inner_->copy(to, from, bytes); });
}

void ProfiledBackend::convert(const ConstView& in, const View& out) {
  timed("convert", elementwise_cost({in}, out, 0), [&] { inner_->convert(in, out); });
}

void ProfiledBackend::embed(std::span<const int32_t> ids, const ConstView& table, float scale, const View& out) {
  timed("embed", embed_cost(ids.size(), table, out), [&] { inner_->embed(ids, table, scale, out); });
}

void ProfiledBackend::rms_norm(const ConstView& x, const float* weight, float eps, const View& out) {
  timed("rms_norm", rms_norm_cost(x, out), [&] { inner_->rms_norm(x, weight, eps, out); });
}

void ProfiledBackend::layer_norm(const ConstView& x, const float* weight, const float* bias, float eps,
                                 const View& out) {
  timed("layer_norm", layer_norm_cost(x, out), [&] { inner_->layer_norm(x, weight, bias, eps, out); });
}

void ProfiledBackend::linear(const LinearInput& in, std::span<const LinearPart> parts) {
  timed("linear", linear_cost(in, parts), [&] { inner_->linear(in, parts); });
}

void ProfiledBackend::gated_linear(const LinearInput& in, const LinearPart& gate, const LinearPart& up,
                                   Activation activation) {
  timed("gated_linear", gated_linear_cost(in, gate, up), [&] { inner_->gated_linear(in, gate, up, activation); });
}

void ProfiledBackend::gated_activation(const View& gate, const ConstView& up, Activation activation) {
  timed("gated_activation", elementwise_cost({gate, up}, gate, 5),
        [&] { inner_->gated_activation(gate, up, activation); });
}

void ProfiledBackend::activate(const View& x, Activation activation) {
  timed("activate", elementwise_cost({x}, x, 4), [&] { inner_->activate(x, activation); });
}

void ProfiledBackend::add(const View& x, const ConstView& y) {
  timed("add", elementwise_cost({x, y}, x, 1), [&] { inner_->add(x, y); });
}

void ProfiledBackend::rope(const View& x, size_t head_dim, const ConstView& cos_sin, RopePairing pairing) {
  timed("rope", rope_cost(x, head_dim, cos_sin), [&] { inner_->rope(x, head_dim, cos_sin, pairing); });
}

void ProfiledBackend::store_kv(const ConstView& k, const ConstView& v, std::span<const KvRows> heads, DType dtype,
                               size_t at) {
  timed("store_kv", store_kv_cost(k, v, heads, dtype), [&] { inner_->store_kv(k, v, heads, dtype, at); });
}

void ProfiledBackend::prepare_heads(const HeadRows& rows) {
  timed("prepare_heads", prepare_heads_cost(rows), [&] { inner_->prepare_heads(rows); });
}

void ProfiledBackend::gather_rows(const ConstView& from, std::span<const uint32_t> index, const View& to) {
  const ConstView read{from.data, from.dtype, index.size(), from.cols, from.stride};
  timed("gather_rows", elementwise_cost({read}, to, 0), [&] { inner_->gather_rows(from, index, to); });
}

void ProfiledBackend::gather_heads(std::span<const HeadGather> heads, DType from, DType to, size_t head_dim) {
  timed("gather_heads", gather_heads_cost(heads, from, to, head_dim),
        [&] { inner_->gather_heads(heads, from, to, head_dim); });
}

void ProfiledBackend::attend(const AttendArgs& args) {
  timed(args.score == nullptr ? "attend" : "attend, scoring", attend_cost(args), [&] { inner_->attend(args); });
}

void ProfiledBackend::attend_together(std::span<const AttendArgs> calls) {
  OperationCost cost;
  for (const AttendArgs& args : calls) cost += attend_cost(args);
  timed("attend_together", cost, [&] { inner_->attend_together(calls); });
}

void ProfiledBackend::likeliest(const ConstView& logits, std::span<size_t> places) {
  const ConstView rows{logits.data, logits.dtype, places.size(), logits.cols, logits.stride};
  timed("likeliest", {bytes_of(rows), static_cast<double>(rows.rows) * static_cast<double>(rows.cols)},
        [&] { inner_->likeliest(logits, places); });
}

bool ProfiledBackend::find_candidates(const ConstView& logits, size_t count, std::vector<Candidate>& found) {
  bool done = false;
  timed("find_candidates", {bytes_of(logits), 0}, [&] { done = inner_->find_candidates(logits, count, found); });
  return done;
}

}  // namespace kvzip
