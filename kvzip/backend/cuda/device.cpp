#include "kvzip/backend/cuda/device.h"

#include <cuda_runtime_api.h>

#include "kvzip/backend/cuda/cuda_check.h"

namespace kvzip {
namespace {

constexpr int kOldestMajor = 8;  // Ampere: bf16 in the matrix units
/// Below this nothing useful can be done, and CUDA's own libraries fail in obscure ways.
constexpr size_t kLeastFreeBytes = size_t{512} << 20U;

[[noreturn]] void fail(ErrorCode code, const std::string& why) { throw Error(code, "device cuda: " + why); }

std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

int count_gpus() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaErrorInsufficientDriver) {
    int driver = 0;
    cudaDriverGetVersion(&driver);
    fail(ErrorCode::unsupported, driver == 0 ? "no NVIDIA driver found on this machine"
                                             : "the NVIDIA driver supports CUDA " + version_text(driver) +
                                                   ", this program needs " + version_text(CUDART_VERSION) +
                                                   ": update the driver");
  }
  if (status == cudaErrorNoDevice || (status == cudaSuccess && count == 0)) {
    fail(ErrorCode::unsupported, "no NVIDIA GPU found (is CUDA_VISIBLE_DEVICES set to hide it?)");
  }
  if (status != cudaSuccess) {
    fail(ErrorCode::unsupported, std::string("the NVIDIA driver can't be used: ") + cudaGetErrorString(status));
  }
  return count;
}

}  // namespace

void select_gpu(size_t index) {
  const auto count = static_cast<size_t>(count_gpus());
  if (index >= count) {
    fail(ErrorCode::unsupported, "expected a GPU below " + std::to_string(count) + ", found " + std::to_string(index));
  }
  const std::string name = "GPU " + std::to_string(index);
  cudaDeviceProp properties{};
  cuda_check(cudaGetDeviceProperties(&properties, static_cast<int>(index)), "reading a GPU's properties");
  if (properties.major < kOldestMajor) {
    fail(ErrorCode::unsupported, name + " (" + properties.name + ") has compute capability " +
                                     std::to_string(properties.major) + "." + std::to_string(properties.minor) +
                                     ", expected 8.0 or newer");
  }
  cudaError_t status = cudaSetDevice(static_cast<int>(index));
  size_t free = 0;
  size_t total = 0;
  if (status == cudaSuccess) status = cudaMemGetInfo(&free, &total);
  if (status == cudaErrorMemoryAllocation || (status == cudaSuccess && free < kLeastFreeBytes)) {
    fail(ErrorCode::memory, name + " (" + properties.name + ") has " + std::to_string(free >> 20U) + " of " +
                                std::to_string(properties.totalGlobalMem >> 20U) +
                                " MiB left: other programs hold the rest");
  }
  if (status != cudaSuccess) {
    fail(ErrorCode::unsupported, name + " (" + properties.name + ") can't be used: " + cudaGetErrorString(status));
  }
}

std::string describe_gpu(size_t index) {
  cudaDeviceProp properties{};
  cuda_check(cudaGetDeviceProperties(&properties, static_cast<int>(index)), "reading a GPU's properties");
  const auto tenths = static_cast<size_t>(static_cast<double>(properties.totalGlobalMem) * 10 / (1U << 30U));
  return std::string(properties.name) + ", " + std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) +
         " GiB, compute capability " + std::to_string(properties.major) + "." + std::to_string(properties.minor);
}

}  // namespace kvzip
