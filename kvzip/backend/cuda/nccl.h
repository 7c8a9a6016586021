// NCCL, NVIDIA's library for exchanging data between GPUs, found when it is first needed: the program also starts where
// it isn't installed. Immutable, shared by all threads.
#pragma once

#include <nccl.h>

namespace kvzip {

struct Nccl {
  decltype(&ncclGetUniqueId) get_unique_id = nullptr;
  decltype(&ncclCommInitRank) comm_init_rank = nullptr;
  decltype(&ncclCommDestroy) comm_destroy = nullptr;
  decltype(&ncclCommAbort) comm_abort = nullptr;
  decltype(&ncclAllReduce) all_reduce = nullptr;
  decltype(&ncclAllGather) all_gather = nullptr;
  decltype(&ncclGetErrorString) error_string = nullptr;
  decltype(&ncclGetLastError) last_error = nullptr;
};

/// Throws Error{unsupported} where the library isn't found or is too old.
const Nccl& nccl();

/// Throws Error{device} naming `what` unless `status` is success.
void nccl_check(ncclResult_t status, const char* what);

}  // namespace kvzip
