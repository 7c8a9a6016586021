// Brings rows into order of importance: the ranking of every head's scores, and the copy of rows in that order. Owns
// nothing; work is queued on a stream.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "kvzip/backend/backend.h"

namespace kvzip::cuda {

/// Bytes of device memory that rank_rows() needs.
size_t rank_rows_workspace_bytes(size_t heads, size_t len);

/// Queues: order[h] = indices of scores[h], highest first; equal scores keep their order. Both are `[heads, len]` in
/// device memory. Throws Error{device} where a launch fails.
void rank_rows(const float* scores, size_t heads, size_t len, uint32_t* order, void* workspace, cudaStream_t stream);

/// Rows of one layer's heads, to be copied in order.
struct GatherArgs {
  std::span<const KvRows> from;  ///< `[heads]`
  std::span<const KvRows> to;    ///< `[heads]`; `len` rows are written: `leading` ones, then those that `order` names
  const uint32_t* order = nullptr;  ///< `[heads, order_stride]` in device memory; counts from the row after `leading`
  size_t order_stride = 0;
  size_t leading = 0;    ///< rows that stay in front as they are: the system prompt's
  size_t row_bytes = 0;  ///< even
};

/// Queues the copy of keys and values. The ranges must not overlap. At most 64 heads.
void gather_in_order(const GatherArgs& args, cudaStream_t stream);

}  // namespace kvzip::cuda
