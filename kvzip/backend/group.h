// Devices of one machine that compute a model together. Each has a rank, a Backend of its own and a process (or thread)
// that runs the same steps as all others, on its share of every layer's heads; a Group is how one of them puts
// together with the others what they have in parts. All ranks must call the same functions in the same order. Used by
// the thread that uses the rank's backend.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "kvzip/backend/backend.h"
#include "kvzip/base/rank_memory.h"

namespace kvzip {

class Group {
 public:
  virtual ~Group() = default;

  size_t rank() const { return rank_; }
  size_t size() const { return memory_->ranks(); }

  /// x = the sum of all ranks' x, to the same bits on each: contiguous rows, f32 or activations. In order with the
  /// operations of the rank's backend.
  virtual void all_reduce(const View& x) = 0;
  /// all = the parts of all ranks one behind the other, `bytes` each, in device memory. `part` may be the rank's place
  /// in `all`. In order with the operations of the rank's backend.
  virtual void all_gather(const void* part, void* all, size_t bytes) = 0;

  /// The same in host memory, of any length: returns when all is there.
  void gather_on_host(std::span<const std::byte> part, std::span<std::byte> all) { memory_->gather(rank_, part, all); }
  /// One number of each rank, by rank.
  std::vector<uint64_t> gather(uint64_t number);

 protected:
  /// `memory` must outlive it.
  Group(RankMemory& memory, size_t rank) : memory_(&memory), rank_(rank) {}
  RankMemory& memory() const { return *memory_; }

 private:
  RankMemory* memory_;
  size_t rank_;
};

/// This rank's end of a group whose backends are all of the kind of `backend`; waits for the others. Both arguments
/// must outlive it. Throws Error{unsupported} where NCCL, by which GPUs exchange data, isn't there or can't.
std::unique_ptr<Group> make_group(Backend& backend, RankMemory& memory, size_t rank);

std::unique_ptr<Group> make_cpu_group(RankMemory& memory, size_t rank);
/// `backend` comes from make_cuda_backend().
std::unique_ptr<Group> make_cuda_group(Backend& backend, RankMemory& memory, size_t rank);

}  // namespace kvzip
