// The CPU as a Backend: checks the shapes of each operation and hands it to the function that does it. Device memory is
// host memory. One thread at a time, as backend.h says; the operations use all threads of base/parallel.h.
#pragma once

#include "kvzip/backend/backend.h"
#include "kvzip/backend/cpu/linear.h"

namespace kvzip {

class CpuBackend : public Backend {
 public:
  /// Throws Error{unsupported} on a processor without AVX2 (x86) or NEON (ARM).
  CpuBackend();

  void* acquire(size_t bytes) override;
  void release(void* data, size_t bytes) noexcept override;

  std::string_view name() const override { return "cpu"; }
  std::string description() const override;
  size_t available_memory() const override;
  size_t peak_memory() const override;
  size_t preferred_batch() const override { return 1024; }
  void set_precision(Precision precision) override { precision_ = precision; }
  DType activation_type() const override { return DType::f32; }
  DType weight_type(DType stored) const override { return stored; }
  void synchronize() override {}

  void upload(void* device, const void* host, size_t bytes) override { copy(device, host, bytes); }
  void download(void* host, const void* device, size_t bytes) override { copy(host, device, bytes); }
  void copy(void* to, const void* from, size_t bytes) override;
  ConstView adopt(const ConstView& host, Buffer& keep_alive) override;
  void convert(const ConstView& in, const View& out) override;

  void embed(std::span<const int32_t> ids, const ConstView& table, float scale, const View& out) override;
  void rms_norm(const ConstView& x, const float* weight, float eps, const View& out) override;
  void layer_norm(const ConstView& x, const float* weight, const float* bias, float eps, const View& out) override;
  void linear(const LinearInput& in, std::span<const LinearPart> parts) override;
  void gated_activation(const View& gate, const ConstView& up, Activation activation) override;
  void activate(const View& x, Activation activation) override;
  void add(const View& x, const ConstView& y) override;
  void rope(const View& x, size_t head_dim, const ConstView& cos_sin, RopePairing pairing) override;
  void store_kv(const ConstView& k, const ConstView& v, std::span<const KvRows> heads, DType dtype, size_t at) override;
  void gather_rows(const ConstView& from, std::span<const uint32_t> index, const View& to) override;
  void attend(const AttendArgs& args) override;
  void likeliest(const ConstView& logits, std::span<size_t> places) override;

 private:
  Precision precision_ = Precision::fast;
  Linear linear_;
};

}  // namespace kvzip
