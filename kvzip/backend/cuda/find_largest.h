// The likeliest token without bringing all logits to the host. Stateless; work is queued on a stream.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

#include "kvzip/tensor/view.h"

namespace kvzip::cuda {

/// Queues: results[i], device memory, becomes what place_of_largest() reads: the largest value of row i of `values`,
/// f32, and where it first stands, as Backend::likeliest() defines it.
void find_largest(const ConstView& values, uint64_t* results, cudaStream_t stream);

/// The place, or `count` where no value counts.
size_t place_of_largest(uint64_t result, size_t count);

}  // namespace kvzip::cuda
