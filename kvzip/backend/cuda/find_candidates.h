// The largest of some logits, among which a sampler chooses, without bringing all of them to the host. Stateless; work
// is queued on a stream.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

#include "kvzip/backend/backend.h"

namespace kvzip::cuda {

/// What find_candidates() leaves in device memory: a header, then `room` candidates in any order.
struct FoundCandidates {
  uint32_t count;  ///< of candidates; more than there is room for: the rest is missing
  uint32_t unused;

  static size_t bytes(size_t room) { return sizeof(FoundCandidates) + room * sizeof(Candidate); }
};

/// Bytes of device memory that a call needs besides.
size_t find_candidates_workspace_bytes();

/// Queues: finds, of `n` > 0 logits, those that Backend::find_candidates() names; `count` is in [1, n].
void find_candidates(const float* logits, size_t n, size_t count, FoundCandidates* found, size_t room, void* workspace,
                     cudaStream_t stream);

}  // namespace kvzip::cuda
