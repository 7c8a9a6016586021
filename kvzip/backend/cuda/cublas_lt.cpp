#include "kvzip/backend/cuda/cublas_lt.h"

#include <string>

#include "kvzip/backend/cuda/shared_library.h"
#include "kvzip/base/error.h"

namespace kvzip {
namespace {

CublasLt open_library() {
  const std::string name = "libcublasLt.so." + std::to_string(CUBLAS_VER_MAJOR);
  const SharedLibrary library(name, name + " not found (part of CUDA " + std::to_string(CUBLAS_VER_MAJOR) +
                                        "; LD_LIBRARY_PATH may name its folder)");
  CublasLt lt;
  library.find("cublasLtCreate", lt.create);
  library.find("cublasLtDestroy", lt.destroy);
  library.find("cublasLtMatmul", lt.matmul);
  library.find("cublasLtMatmulDescCreate", lt.desc_create);
  library.find("cublasLtMatmulDescDestroy", lt.desc_destroy);
  library.find("cublasLtMatmulDescSetAttribute", lt.desc_set);
  library.find("cublasLtMatrixLayoutCreate", lt.layout_create);
  library.find("cublasLtMatrixLayoutDestroy", lt.layout_destroy);
  library.find("cublasLtMatmulPreferenceCreate", lt.preference_create);
  library.find("cublasLtMatmulPreferenceDestroy", lt.preference_destroy);
  library.find("cublasLtMatmulPreferenceSetAttribute", lt.preference_set);
  library.find("cublasLtMatmulAlgoGetHeuristic", lt.heuristic);
  library.find("cublasLtGetStatusString", lt.status_string);
  return lt;
}

}  // namespace

const CublasLt& cublas_lt() {
  static const CublasLt kLibraryFunctions = open_library();
  return kLibraryFunctions;
}

void cublas_check(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw Error(ErrorCode::device, std::string("device cuda: ") + what + " failed: " + cublas_lt().status_string(status));
}

}  // namespace kvzip
