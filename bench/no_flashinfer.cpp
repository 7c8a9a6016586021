#include "bench/flashinfer_prefill.h"

namespace kvzip::bench {

bool has_flashinfer(size_t) { return false; }
cudaError_t run_flashinfer(const FlashinferPrefill&, cudaStream_t) { return cudaErrorNotSupported; }

}  // namespace kvzip::bench
