// A group of GPUs that exchange data by NCCL, over NVLink where there is some. Its operations are queued on the stream
// of the rank's backend.
#include <exception>
#include <span>
#include <vector>

#include "kvzip/backend/cuda/cuda_backend.h"
#include "kvzip/backend/cuda/nccl.h"
#include "kvzip/backend/group.h"
#include "kvzip/base/check.h"

namespace kvzip {
namespace {

class NcclGroup final : public Group {
 public:
  NcclGroup(CudaBackend& backend, RankMemory& memory, size_t rank)
      : Group(memory, rank), backend_(&backend), nccl_(&nccl()), exceptions_(std::uncaught_exceptions()) {
    ncclUniqueId id{};
    if (rank == 0) nccl_check(nccl_->get_unique_id(&id), "starting NCCL");
    std::vector<ncclUniqueId> ids(size());
    gather_on_host(std::as_bytes(std::span(&id, 1)), std::as_writable_bytes(std::span(ids)));
    backend.stream();
    nccl_check(nccl_->comm_init_rank(&comm_, static_cast<int>(size()), ids.front(), static_cast<int>(rank)),
               "connecting GPUs");
  }
  NcclGroup(const NcclGroup&) = delete;
  NcclGroup& operator=(const NcclGroup&) = delete;
  // After a failure the others may never come to what is still queued here: it is given up, not waited for.
  ~NcclGroup() override {
    if (std::uncaught_exceptions() > exceptions_) {
      nccl_->comm_abort(comm_);
    } else {
      cudaStreamSynchronize(backend_->stream());
      nccl_->comm_destroy(comm_);
    }
  }

  void all_reduce(const View& x) override {
    check(x.stride == row_bytes(x.dtype, x.cols), "all_reduce: contiguous rows");
    check(x.dtype == DType::f32 || x.dtype == DType::bf16, "all_reduce: f32 or activations");
    const ncclDataType_t type = x.dtype == DType::f32 ? ncclFloat32 : ncclBfloat16;
    nccl_check(nccl_->all_reduce(x.data, x.data, x.rows * x.cols, type, ncclSum, comm_, backend_->stream()),
               "adding up what the GPUs have");
  }

  void all_gather(const void* part, void* all, size_t bytes) override {
    nccl_check(nccl_->all_gather(part, all, bytes, ncclInt8, comm_, backend_->stream()),
               "gathering what the GPUs have");
  }

 private:
  CudaBackend* backend_;
  const Nccl* nccl_;
  int exceptions_;  // under way when it was made
  ncclComm_t comm_ = nullptr;
};

}  // namespace

std::unique_ptr<Group> make_cuda_group(Backend& backend, RankMemory& memory, size_t rank) {
  return std::make_unique<NcclGroup>(dynamic_cast<CudaBackend&>(backend), memory, rank);
}

}  // namespace kvzip
