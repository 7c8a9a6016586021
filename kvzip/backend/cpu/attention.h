// Softmax attention and KVzip's scoring on the CPU. Stateless; one call uses all threads, and calls from different
// threads may run at the same time.
#pragma once

#include "kvzip/backend/backend.h"

namespace kvzip {

/// Backend::attend() for host memory. Rows of keys and values may be f32, f16, bf16, q8_0 or q4_0, by segment; q, out
/// and log_score are f32. A query that sees no row gets zeros. Precision::fast may round products of many rows to bf16,
/// exact never does. Throws Error{unsupported} for another dtype, Error{internal} where shapes contradict each other.
void attend_cpu(const AttendArgs& args, Precision precision);

}  // namespace kvzip
