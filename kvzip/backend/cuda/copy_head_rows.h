// Backend::gather_heads() where rows stay of one type: keys and values of many heads in one launch. Stateless; returns
// once the work is queued on `stream`.
#pragma once

#include <cuda_runtime_api.h>

#include <vector>

#include "kvzip/backend/backend.h"

namespace kvzip::cuda {

/// Whether all rows can be moved 16 bytes at a time.
bool can_copy_head_rows(std::span<const HeadGather> heads, DType dtype, size_t head_dim);

/// What copy_head_rows() wants in device memory beside the indexes: addresses. Empty where there is nothing to move.
std::vector<std::byte> plan_head_rows(std::span<const HeadGather> heads);

/// In device memory are `plan`, which is plan_head_rows() of these heads, and `indexes`, those of all heads one after
/// the other; rows are `row_bytes` long and apart.
void copy_head_rows(std::span<const HeadGather> heads, const void* plan, const uint32_t* indexes, size_t row_bytes,
                    cudaStream_t stream);

}  // namespace kvzip::cuda
