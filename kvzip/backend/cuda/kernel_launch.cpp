#include "kvzip/backend/cuda/kernel_launch.h"

#include <array>

#include "kvzip/backend/cuda/cuda_check.h"
#include "kvzip/base/check.h"

namespace kvzip::cuda {

LaunchRecorder*& launch_recorder() {
  thread_local LaunchRecorder* recorder = nullptr;
  return recorder;
}

void launch_kernel(const KernelLaunch& launch) {
  if (launch_recorder() != nullptr) return launch_recorder()->launch(launch);
  launch_on_stream(launch);
}

void launch_on_stream(const KernelLaunch& launch) {
  check(launch.parameters.size() <= kMostKernelParameters, "a kernel has few parameters");
  std::array<void*, kMostKernelParameters> parameters{};
  for (size_t i = 0; i < launch.parameters.size(); ++i) parameters[i] = const_cast<void*>(launch.parameters[i].data);
  cuda_check(cudaLaunchKernelExC(&launch.config, launch.kernel, parameters.data()), "launching a kernel");
}

}  // namespace kvzip::cuda
