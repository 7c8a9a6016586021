// Norms of heads, rotation and the storing of keys and values in one kernel. Stateless; work is queued on a stream.
#pragma once

#include <cuda_runtime_api.h>

#include "kvzip/backend/backend.h"

namespace kvzip::cuda {

/// True where prepare_heads() takes `rows`: few of them, as decoding and short questions have, and heads of an even
/// size of at most 256. False is for the operations one by one, whose kernels are made for many rows.
bool can_prepare_heads(const HeadRows& rows);

/// Queues Backend::prepare_heads(); what k holds stays as it was. Throws Error{internal} where can_prepare_heads() is
/// false, Error{device} where a launch fails.
void prepare_heads(const HeadRows& rows, cudaStream_t stream);

}  // namespace kvzip::cuda
