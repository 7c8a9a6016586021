// Attention on the GPU: checks a call and hands it to the fastest kernels that take it. Owns what they need between
// calls. Used by one thread at a time.
#pragma once

#include "kvzip/backend/backend.h"
#include "kvzip/backend/cuda/attend_dense.h"
#include "kvzip/backend/cuda/device_memory.h"
#include "kvzip/backend/cuda/staging.h"

namespace kvzip::cuda {

class Attention {
 public:
  /// All must outlive it.
  Attention(DeviceMemory& memory, Staging& staging, cudaStream_t stream)
      : staging_(&staging),
        stream_(stream),
        heads_(memory),
        halves_(memory),
        parts_(memory),
        places_(memory),
        log_sums_(memory),
        workspace_(memory),
        dense_(memory, stream) {}

  /// Backend::attend(). Throws Error{unsupported} for rows of another type than f32, f16, bf16, q8_0, q4_0.
  void run(const AttendArgs& args);
  /// Backend::attend_together(): in one launch where the calls are questions over shared segments.
  void run_together(std::span<const AttendArgs> calls);

 private:
  bool takes_dense(const AttendArgs& args) const;
  void run_dense(const AttendArgs& args, float* log_sums);
  bool run_joined(const AttendArgs& args, float* log_sums);
  const int32_t* upload_places(std::span<const int32_t> places, size_t index, size_t count);
  bool run_decode(std::span<const AttendArgs> questions);
  bool run_scored(const AttendArgs& args);
  void run_plain(const AttendArgs& args);

  Staging* staging_;
  cudaStream_t stream_;
  DeviceScratch heads_;     // addresses of rows, log sums
  DeviceScratch halves_;    // queries in the type of the rows
  DeviceScratch parts_;     // attention outputs of single segments
  DeviceScratch places_;    // where the heads of ragged segments lie
  DeviceScratch log_sums_;  // of all keys that a scored call sees
  DeviceScratch workspace_;
  DenseAttention dense_;
};

}  // namespace kvzip::cuda
