// Vectorised decoders for the formats of common models that ggml decodes slowly (its own are built without AVX). Values
// per ns and thread on Zen 5, ggml's -> these: Q4_0, Q4_1 3 -> 31, Q5_0, Q5_1 1.7 -> 22, Q8_0 10 -> 30, Q6_K 1.4
// -> 10.7. Stateless; safe from any number of threads.
#pragma once

#include <cstddef>

#include "kvzip/tensor/dtype.h"

namespace kvzip {

/// Decodes `values` values, a multiple of the format's block, to f32. Returns false, having done nothing, for a format
/// that has no decoder here.
bool unpack_blocks(DType dtype, const void* row, float* out, size_t values);

}  // namespace kvzip
