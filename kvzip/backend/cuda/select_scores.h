// Selection over all scores of a document without sorting them. Owns nothing; work is queued on a stream.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

namespace kvzip::cuda {

/// Bytes of device memory that nth_highest() needs.
size_t nth_highest_workspace_bytes();

/// Queues: *result = the score at place n (from 0) if all `count` > n were sorted, highest first. Everything is device
/// memory. Throws Error{device} where a launch fails.
void nth_highest(const float* scores, size_t count, size_t n, float* result, void* workspace, cudaStream_t stream);

/// Queues: kept[h] = number of scores[h] above *threshold. `scores` is `[heads, len]`; everything is device memory.
void count_above(const float* scores, size_t heads, size_t len, const float* threshold, uint32_t* kept,
                 cudaStream_t stream);

}  // namespace kvzip::cuda
