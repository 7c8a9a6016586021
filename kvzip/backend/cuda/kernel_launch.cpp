#include "kvzip/backend/cuda/kernel_launch.h"

#include <algorithm>

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

std::array<void*, kMostKernelParameters> parameter_pointers(const KernelLaunch& launch) {
  check(launch.parameters.size() <= kMostKernelParameters, "a kernel has few parameters");
  std::array<void*, kMostKernelParameters> pointers{};
  std::ranges::transform(launch.parameters, pointers.begin(),
                         [](const KernelParameter& parameter) { return const_cast<void*>(parameter.data); });
  return pointers;
}

void launch_on_stream(const KernelLaunch& launch) {
  auto parameters = parameter_pointers(launch);
  cuda_check(cudaLaunchKernelExC(&launch.config, launch.kernel, parameters.data()), "launching a kernel");
}

}  // namespace kvzip::cuda
