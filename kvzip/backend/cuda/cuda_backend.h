// An NVIDIA GPU as a Backend: checks the shapes of each operation and hands it to the function that does it. Views name
// memory of the GPU. All work is queued on one stream, and only download() and synchronize() wait for it. One thread at
// a time, as backend.h says.
#pragma once

#include "kvzip/backend/backend.h"
#include "kvzip/backend/cuda/attend.h"
#include "kvzip/backend/cuda/cuda_handles.h"
#include "kvzip/backend/cuda/device_memory.h"
#include "kvzip/backend/cuda/linear.h"
#include "kvzip/backend/cuda/staging.h"

namespace kvzip {

class CudaBackend final : public Backend {
 public:
  /// Throws Error{unsupported} or Error{memory} as make_cuda_backend() says.
  explicit CudaBackend(size_t index);
  ~CudaBackend() override;

  void* acquire(size_t bytes) override;
  void release(void* data, size_t bytes) noexcept override;

  std::string_view name() const override { return "cuda"; }
  std::string description() const override;
  size_t available_memory() const override;
  size_t peak_memory() const override;
  size_t preferred_batch() const override { return 8192; }
  void set_precision(Precision precision) override { precision_ = precision; }
  DType activation_type() const override { return precision_ == Precision::exact ? DType::f32 : DType::bf16; }
  DType weight_type(DType stored) const override;
  void synchronize() override;

  void upload(void* device, const void* host, size_t bytes) override;
  void download(void* host, const void* device, size_t bytes) override;
  void copy(void* to, const void* from, size_t bytes) override;
  ConstView adopt(const ConstView& host, Buffer& keep_alive) override;
  void convert(const ConstView& in, const View& out) override;

  void embed(std::span<const int32_t> ids, const ConstView& table, float scale, const View& out) override;
  void rms_norm(const ConstView& x, const float* weight, float eps, const View& out) override;
  void layer_norm(const ConstView& x, const float* weight, const float* bias, float eps, const View& out) override;
  void linear(const LinearInput& in, std::span<const LinearPart> parts) override;
  void gated_linear(const LinearInput& in, const LinearPart& gate, const LinearPart& up,
                    Activation activation) override;
  void gated_activation(const View& gate, const ConstView& up, Activation activation) override;
  void activate(const View& x, Activation activation) override;
  void add(const View& x, const ConstView& y) override;
  void rope(const View& x, size_t head_dim, const ConstView& cos_sin, RopePairing pairing) override;
  void store_kv(const ConstView& k, const ConstView& v, std::span<const KvRows> heads, DType dtype, size_t at) override;
  void prepare_heads(const HeadRows& rows) override;
  void gather_rows(const ConstView& from, std::span<const uint32_t> index, const View& to) override;
  void gather_heads(std::span<const HeadGather> heads, DType from, DType to, size_t head_dim) override;
  void attend(const AttendArgs& args) override;
  void attend_together(std::span<const AttendArgs> calls) override;
  void likeliest(const ConstView& logits, std::span<size_t> places) override;
  bool find_candidates(const ConstView& logits, size_t count, std::vector<Candidate>& found) override;
  std::unique_ptr<Recording> make_recording() override;

  /// The stream, for an operation of the calling thread, whose current GPU it selects.
  cudaStream_t stream() const;

 private:
  /// A device copy of host values that lives until later operations of the stream are done with it.
  Buffer on_device(const void* host, size_t bytes);
  Buffer indexes_on_device(std::span<const HeadGather> heads);

  size_t index_;
  Precision precision_ = Precision::fast;
  CudaStream stream_;
  DeviceMemory memory_;
  Staging staging_;
  cuda::Linear linear_;
  cuda::Attention attention_;
};

}  // namespace kvzip
