// Errors of CUDA and its libraries as kvzip::Error. Stateless.
#pragma once

#include <cuda_runtime_api.h>

#include <string>

#include "kvzip/base/error.h"

namespace kvzip {

/// Throws Error{device} that says what failed and how, unless `status` is success. A GPU that failed once fails all
/// later calls too: the first error is the one to read.
inline void cuda_check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  throw Error(ErrorCode::device, std::string("device cuda: ") + what + " failed: " + cudaGetErrorString(status) + " (" +
                                     cudaGetErrorName(status) + ")");
}

/// After a kernel was launched: throws where it could not be, or where an earlier one failed.
inline void check_launch(const char* what) { cuda_check(cudaGetLastError(), what); }

}  // namespace kvzip
