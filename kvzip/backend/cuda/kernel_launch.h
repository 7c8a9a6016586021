// The one place where kernels of a decoded token are launched: on their stream, or into the recording that is under way
// in the calling thread (kernel_recording.h).
#pragma once

#include <cuda_runtime_api.h>

#include <array>
#include <cstddef>
#include <exception>
#include <span>

namespace kvzip::cuda {

/// One parameter of a kernel, in host memory.
struct KernelParameter {
  const void* data;
  size_t bytes;
};

struct KernelLaunch {
  const void* kernel;
  cudaLaunchConfig_t config;
  std::span<const KernelParameter> parameters;  ///< at most kMostKernelParameters
};

inline constexpr size_t kMostKernelParameters = 16;

/// Addresses of the parameters as CUDA takes them, nulls behind.
std::array<void*, kMostKernelParameters> parameter_pointers(const KernelLaunch& launch);

/// Takes launches in place of streams.
class LaunchRecorder {
 public:
  virtual void launch(const KernelLaunch& launch) = 0;
  /// Work that isn't a kernel of launch_kernel() is about to be queued. Throws NotRecordable where it can't be.
  virtual void other_work() = 0;

 protected:
  ~LaunchRecorder() = default;
};

/// Thrown out of operations that a recording can't repeat.
struct NotRecordable : std::exception {};

/// Of the calling thread; null = launches go to their streams.
LaunchRecorder*& launch_recorder();

/// Throws Error{device} where the launch fails.
void launch_kernel(const KernelLaunch& launch);
/// The same on its stream, whether or not something is recorded.
void launch_on_stream(const KernelLaunch& launch);

/// To be said before copies, allocations and whatever else waits for or is known to the stream.
inline void announce_other_work() {
  if (launch_recorder() != nullptr) launch_recorder()->other_work();
}

}  // namespace kvzip::cuda
