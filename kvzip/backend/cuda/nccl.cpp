#include "kvzip/backend/cuda/nccl.h"

#include <dlfcn.h>

#include <string>

#include "kvzip/base/error.h"

namespace kvzip {
namespace {

constexpr const char* kLibrary = "libnccl.so.2";

template <class Function>
void find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  if (function == nullptr) {
    throw Error(ErrorCode::unsupported,
                std::string("device cuda: ") + kLibrary + " has no " + name + ": it is too old");
  }
}

Nccl open_library() {
  void* const library = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);  // stays open: its threads can't be undone
  if (library == nullptr) {
    throw Error(ErrorCode::unsupported, std::string("device cuda: several GPUs need ") + kLibrary +
                                            ", which was not found (PyPI has it as nvidia-nccl-cu13; LD_LIBRARY_PATH "
                                            "may name its folder): " +
                                            dlerror());
  }
  Nccl functions;
  find(library, "ncclGetUniqueId", functions.get_unique_id);
  find(library, "ncclCommInitRank", functions.comm_init_rank);
  find(library, "ncclCommDestroy", functions.comm_destroy);
  find(library, "ncclCommAbort", functions.comm_abort);
  find(library, "ncclAllReduce", functions.all_reduce);
  find(library, "ncclAllGather", functions.all_gather);
  find(library, "ncclGetErrorString", functions.error_string);
  find(library, "ncclGetLastError", functions.last_error);
  return functions;
}

}  // namespace

const Nccl& nccl() {
  static const Nccl kLibraryFunctions = open_library();
  return kLibraryFunctions;
}

void nccl_check(ncclResult_t status, const char* what) {
  if (status == ncclSuccess) return;
  const char* const detail = nccl().last_error(nullptr);
  throw Error(ErrorCode::device, std::string("device cuda: ") + what + " failed: " + nccl().error_string(status) +
                                     (detail != nullptr && *detail != '\0' ? std::string(" (") + detail + ")" : ""));
}

}  // namespace kvzip
