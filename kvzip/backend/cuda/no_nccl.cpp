// Stands in for nccl_group.cpp in a build without NCCL's header.
#include "kvzip/backend/group.h"
#include "kvzip/base/error.h"

namespace kvzip {

std::unique_ptr<Group> make_cuda_group(Backend&, RankMemory&, size_t) {
  throw Error(ErrorCode::unsupported,
              "device cuda: several GPUs need NCCL, whose header nccl.h was not found when this program was built");
}

}  // namespace kvzip
