// Linear layers as cuBLASLt products: bf16 in and f32 sums, or f32 throughout (never TF32). The algorithm of a shape is
// chosen when it is first met and kept. Used by one thread at a time.
#pragma once

#include <map>
#include <memory>
#include <tuple>

#include "kvzip/backend/backend.h"
#include "kvzip/backend/cuda/cublas_lt.h"
#include "kvzip/backend/cuda/device_memory.h"

namespace kvzip::cuda {

class Linear {
 public:
  /// Both must outlive it. Throws Error{unsupported} where cuBLASLt isn't there.
  Linear(DeviceMemory& memory, cudaStream_t stream);
  ~Linear();
  Linear(const Linear&) = delete;
  Linear& operator=(const Linear&) = delete;

  /// Backend::linear() for one part. x is bf16 or f32; the weight is of that type or quantised, and out f32 or of that
  /// type.
  void run(const ConstView& x, const LinearPart& part);

 private:
  struct Plan;
  /// All that the choice of an algorithm depends on: tokens, in, out, strides and alignments, types, accumulate.
  using Shape = std::tuple<size_t, size_t, size_t, size_t, size_t, size_t, size_t, size_t, size_t, DType, DType, bool>;

  static Shape shape_of(const ConstView& x, const LinearPart& part);
  Plan& plan_for(const ConstView& x, const LinearPart& part);
  void run_packed(const ConstView& x, const LinearPart& part);

  const CublasLt* lt_;
  cublasLtHandle_t handle_ = nullptr;
  cudaStream_t stream_;
  DeviceScratch workspace_;
  DeviceScratch unpacked_;  // stretches of quantised weights
  std::map<Shape, std::unique_ptr<Plan>> plans_;
};

}  // namespace kvzip::cuda
