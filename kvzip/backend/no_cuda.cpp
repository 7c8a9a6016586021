// Stands in for backend/cuda in a build without CUDA.
#include "kvzip/backend/backend.h"
#include "kvzip/backend/group.h"
#include "kvzip/base/error.h"

namespace kvzip {

std::unique_ptr<Backend> make_cuda_backend(size_t) {
  throw Error(ErrorCode::unsupported,
              "device cuda: this program was built without CUDA (no nvcc was found, or no GPU)");
}

std::unique_ptr<Group> make_cuda_group(Backend& backend, RankMemory&, size_t) {
  throw Error(ErrorCode::unsupported,
              "device " + std::string(backend.name()) + ": this program was built without CUDA");
}

}  // namespace kvzip
