// Scoring: which of the document's pairs its repetition needs.
#pragma once

#include "kvzip/base/progress.h"
#include "kvzip/cache/scores.h"
#include "kvzip/stages/prefill.h"
#include "kvzip/stages/reconstruct.h"

namespace kvzip {

struct ScoreOptions {
  size_t chunk = kRepeatChunk;  ///< document tokens per repetition
  size_t batch = kDefaultBatch;
  ProgressFn progress{};  ///< stage "scoring", in tokens of the repeat inputs
};

/// Scores every document position per global layer and KV head: the largest share of attention that any query of the
/// repetition, in any query head of the group, gives to it among [system | its chunk | the repeat input] (Kim et al.
/// 2025, eq. 2 and 3). The reading stays as it is.
Scores score(const Model& model, const Reading& reading, const ScoreOptions& options = {});
/// The same with repeat inputs of the caller's own; positions that none of them covers score 0.
Scores score(const Model& model, const Reading& reading, const std::vector<RepeatInput>& inputs,
             const ScoreOptions& options);

}  // namespace kvzip
