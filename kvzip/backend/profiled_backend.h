// A backend around another one that notes of every operation when it ran, how long, and what it needed at least. Waits
// for the device before and after each, so that what overlaps otherwise is told apart: the sum is longer than the work
// is by itself. Owns the backend inside; one thread at a time, as that.
#pragma once

#include <chrono>
#include <memory>
#include <string_view>
#include <vector>

#include "kvzip/backend/operation_cost.h"

namespace kvzip {

struct OperationCall {
  std::string_view name;  ///< of the Backend's function
  double begin = 0;       ///< seconds since the start
  double seconds = 0;
  OperationCost cost;
};

class ProfiledBackend final : public Backend {
 public:
  explicit ProfiledBackend(std::unique_ptr<Backend> inner) : inner_(std::move(inner)) {}

  Backend& inner() { return *inner_; }
  /// In the order they ran; copies from and to the host among them.
  const std::vector<OperationCall>& calls() const { return calls_; }
  /// Forgets all calls and starts the clock again.
  void restart();
  /// Seconds since the start, once the device is done.
  double now();

  void* acquire(size_t bytes) override { return inner_->acquire(bytes); }
  void release(void* data, size_t bytes) noexcept override { inner_->release(data, bytes); }
  std::string_view name() const override { return inner_->name(); }
  std::string description() const override { return inner_->description(); }
  size_t available_memory() const override { return inner_->available_memory(); }
  size_t peak_memory() const override { return inner_->peak_memory(); }
  size_t preferred_batch() const override { return inner_->preferred_batch(); }
  void set_precision(Precision precision) override { inner_->set_precision(precision); }
  DType activation_type() const override { return inner_->activation_type(); }
  DType weight_type(DType stored) const override { return inner_->weight_type(stored); }
  void synchronize() override { inner_->synchronize(); }
  ConstView adopt(const ConstView& host, Buffer& keep_alive) override { return inner_->adopt(host, keep_alive); }

  void upload(void* device, const void* host, size_t bytes) override;
  void download(void* host, const void* device, size_t bytes) override;
  void copy(void* to, const void* from, size_t bytes) override;
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

 private:
  using Clock = std::chrono::steady_clock;

  template <class Work>
  void timed(std::string_view name, const OperationCost& cost, const Work& work);

  std::unique_ptr<Backend> inner_;
  std::vector<OperationCall> calls_;
  Clock::time_point start_ = Clock::now();
};

}  // namespace kvzip
