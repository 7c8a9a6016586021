#include "kvzip/backend/cuda/cublas_lt.h"

#include <dlfcn.h>

#include "kvzip/base/error.h"

namespace kvzip {
namespace {

std::string library_name() { return "libcublasLt.so." + std::to_string(CUBLAS_VER_MAJOR); }

template <class Function>
void find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  if (function == nullptr) {
    throw Error(ErrorCode::unsupported, "device cuda: " + library_name() + " has no " + name + ": it is too old");
  }
}

CublasLt open_library() {
  void* const library =
      dlopen(library_name().c_str(), RTLD_NOW | RTLD_LOCAL);  // stays open: its threads can't be undone
  if (library == nullptr) {
    throw Error(ErrorCode::unsupported, "device cuda: " + library_name() + " not found (part of CUDA " +
                                            std::to_string(CUBLAS_VER_MAJOR) +
                                            "; LD_LIBRARY_PATH may name its folder): " + dlerror());
  }
  CublasLt lt;
  find(library, "cublasLtCreate", lt.create);
  find(library, "cublasLtDestroy", lt.destroy);
  find(library, "cublasLtMatmul", lt.matmul);
  find(library, "cublasLtMatmulDescCreate", lt.desc_create);
  find(library, "cublasLtMatmulDescDestroy", lt.desc_destroy);
  find(library, "cublasLtMatmulDescSetAttribute", lt.desc_set);
  find(library, "cublasLtMatrixLayoutCreate", lt.layout_create);
  find(library, "cublasLtMatrixLayoutDestroy", lt.layout_destroy);
  find(library, "cublasLtMatmulPreferenceCreate", lt.preference_create);
  find(library, "cublasLtMatmulPreferenceDestroy", lt.preference_destroy);
  find(library, "cublasLtMatmulPreferenceSetAttribute", lt.preference_set);
  find(library, "cublasLtMatmulAlgoGetHeuristic", lt.heuristic);
  find(library, "cublasLtGetStatusString", lt.status_string);
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
