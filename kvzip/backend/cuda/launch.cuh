// Launches whose beginning overlaps the end of the kernel before them in the stream (CUDA's programmatic dependent
// launch, from Hopper on; elsewhere they are ordinary ones). Such a kernel calls wait_for_previous_kernel() in every
// thread before it writes anything, and before it reads what an earlier kernel of the stream may have written; only
// after that let_next_kernel_start(). So whatever runs when a kernel begins, all kernels but the last one are done.
// One kernel lets the next one start at once: prepare_heads(), before attention, which has rows of a context to read.
// When that begins, all kernels but the last two are done, and those two don't write a context.
#pragma once

#include <cuda_runtime_api.h>

#include <array>
#include <tuple>

#include "kvzip/backend/cuda/async_copy.cuh"
#include "kvzip/backend/cuda/cuda_check.h"
#include "kvzip/backend/cuda/kernel_launch.h"

namespace kvzip::cuda {

/// Whether the current GPU overlaps kernels; each thread asks once.
inline bool overlaps_kernels() {
  thread_local int known_device = -1;
  thread_local int major = 0;
  int device = 0;
  cuda_check(cudaGetDevice(&device), "asking for the current GPU");
  if (device != known_device) {
    cuda_check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device), "asking for a GPU's kind");
    known_device = device;
  }
  return major >= 9;
}

template <class... Parameters, class... Arguments>
void launch_overlapping(void (*kernel)(Parameters...), unsigned blocks, unsigned threads, cudaStream_t stream,
                        Arguments... arguments) {
  cudaLaunchAttribute overlap{};
  overlap.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  overlap.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(blocks);
  config.blockDim = dim3(threads);
  config.stream = stream;
  config.attrs = &overlap;
  config.numAttrs = overlaps_kernels() ? 1 : 0;
  const std::tuple<Parameters...> values(arguments...);
  const auto parameters = std::apply(
      [](const auto&... value) {
        return std::array<KernelParameter, sizeof...(Parameters)>{{{&value, sizeof(value)}...}};
      },
      values);
  launch_kernel({reinterpret_cast<const void*>(kernel), config, parameters});
}

}  // namespace kvzip::cuda
