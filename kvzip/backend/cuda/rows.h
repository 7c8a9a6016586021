// Operations of the CUDA backend that move rows: decoding weights, into the KV cache, from place to place. What each
// does is said in backend/backend.h, where the shapes are checked. Stateless; they return once the work is queued on
// `stream`.
#pragma once

#include <cuda_runtime_api.h>

#include "kvzip/backend/backend.h"

namespace kvzip::cuda {

void convert(const ConstView& in, const View& out, cudaStream_t stream);
void store_kv(const ConstView& k, const ConstView& v, std::span<const KvRows> heads, DType dtype, size_t at,
              cudaStream_t stream);
/// `index` is device memory, one number for each row of `to`. Rows are copied, or quantised to q8_0 or q4_0.
void gather_rows(const ConstView& from, const uint32_t* index, const View& to, cudaStream_t stream);

}  // namespace kvzip::cuda
