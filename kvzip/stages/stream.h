// Streaming: a document read, scored and cut chunk by chunk, so that its whole memory never exists. What is held is at
// most the part that is kept in the end, and two chunks.
#pragma once

#include <string_view>
#include <vector>

#include "kvzip/cache/context.h"
#include "kvzip/policy/level.h"
#include "kvzip/stages/gate.h"
#include "kvzip/stages/prefill.h"
#include "kvzip/stages/reconstruct.h"

namespace kvzip {

struct StreamOptions {
  double ratio = 0.3;           ///< fraction KEPT of the document, in (0, 1]
  Level level = Level::pair;    ///< any but `head`, which needs the whole document
  DType kv_type = DType::f16;   ///< of what is kept
  size_t chunk = kRepeatChunk;  ///< tokens that are read at once
  double chunk_keep = 0;        ///< fraction KEPT of each chunk meanwhile; 0 = as ChunkShare has it
  size_t batch = 0;             ///< tokens per pass; 0 = as the device prefers
  const Gate* gate = nullptr;   ///< scores by it, in place of a repetition
  const std::vector<RepeatInput>* inputs = nullptr;  ///< one per chunk of that size, in place of the usual ones
  ProgressFn progress{};                             ///< stage "streaming", in tokens read and repeated
};

struct Streamed {
  std::vector<TokenId> system;
  std::vector<TokenId> document;
  Context context;
  float threshold = 0;         ///< as Selection::threshold
  double scoring_seconds = 0;  ///< of all the time that it took
};

/// Reads one chunk after the other over the one before and what is left of those before that, and keeps a share of the
/// one before (stages/chunk_share.h, or options.chunk_keep). Where more is held then than most_held() (stages/memory.h)
/// of what may be, only that stays: the best options.ratio of the document, or ChunkShare::best() while it is less.
/// Then scores the chunk as local scoring does (stages/score.h), by its repetition behind the whole document, or right
/// behind the chunk where layers have sliding windows. So the context has the best rows by `level` of all that each
/// chunk kept, at positions of the uncompressed document; in its scores, rows that were dropped come last. Throws
/// Error{usage} for options out of range, and what prefill() throws.
Streamed stream(const Model& model, std::string_view text, const StreamOptions& options);
/// The same for a system prompt and a document that are already in token ids.
Streamed stream_ids(const Model& model, std::vector<TokenId> system, std::vector<TokenId> document,
                    const StreamOptions& options);

}  // namespace kvzip
