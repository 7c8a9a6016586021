#include "kvzip/backend/cuda/nccl.h"

#include <string>

#include "kvzip/backend/cuda/shared_library.h"
#include "kvzip/base/error.h"

namespace kvzip {
namespace {

constexpr const char* kLibrary = "libnccl.so.2";

Nccl open_library() {
  const SharedLibrary library(kLibrary, std::string("several GPUs need ") + kLibrary +
                                            ", which was not found (PyPI has it as nvidia-nccl-cu13; LD_LIBRARY_PATH "
                                            "may name its folder)");
  Nccl functions;
  library.find("ncclGetUniqueId", functions.get_unique_id);
  library.find("ncclCommInitRank", functions.comm_init_rank);
  library.find("ncclCommDestroy", functions.comm_destroy);
  library.find("ncclCommAbort", functions.comm_abort);
  library.find("ncclAllReduce", functions.all_reduce);
  library.find("ncclAllGather", functions.all_gather);
  library.find("ncclGetErrorString", functions.error_string);
  library.find("ncclGetLastError", functions.last_error);
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
