// How much memory a document will need, known before it is read.
#pragma once

#include <cstddef>
#include <string>

#include "kvzip/model/model.h"

namespace kvzip {

struct MemoryEstimate {
  size_t kv_bytes = 0;         ///< keys and values of the whole document, nothing dropped
  size_t scoring_bytes = 0;    ///< keys and values of one repetition and of its chunk's copy, and the scores
  size_t workspace_bytes = 0;  ///< activations of a batch and scratch memory
  size_t total() const { return kv_bytes + scoring_bytes + workspace_bytes; }
};

/// For `tokens` (system and document) read in batches of `batch` with repetitions of `chunk` tokens: the peak, which is
/// while scoring and thus before anything is quantised.
MemoryEstimate estimate_memory(const Model& model, size_t tokens, DType kv_type, size_t batch, size_t chunk);

/// Tokens per pass with which `tokens` are read: `wanted`, or where that is 0, as many as the device prefers and its
/// memory leaves room for.
size_t batch_rows(const Model& model, size_t tokens, DType kv_type, size_t wanted, size_t chunk);

/// Throws Error{memory} that says what `tokens` need and how many tokens would fit, where they exceed what the device
/// has left.
void require_memory(const Model& model, size_t tokens, DType kv_type, size_t batch, size_t chunk);

/// How many pairs of a document of `tokens` streaming holds at most where `ratio` of them may stay: where there are
/// more, they are cut to that ratio at once, which moves every row, so there is room before the next time.
size_t most_held(const CacheShape& shape, size_t tokens, double ratio);

/// The same for reading in chunks of which about `ratio` of the document stays (stages/stream.h).
MemoryEstimate estimate_streaming(const Model& model, size_t tokens, DType kv_type, size_t batch, size_t chunk,
                                  double ratio);
void require_streaming(const Model& model, size_t tokens, DType kv_type, size_t batch, size_t chunk, double ratio);

/// "1.5 GiB", "230 MiB", "12 KiB".
std::string format_bytes(size_t bytes);

}  // namespace kvzip
