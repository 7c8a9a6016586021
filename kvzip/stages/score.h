// Scoring: which of the document's pairs its repetition needs.
#pragma once

#include <cstdint>
#include <string_view>

#include "kvzip/base/progress.h"
#include "kvzip/cache/scores.h"
#include "kvzip/stages/prefill.h"
#include "kvzip/stages/reconstruct.h"

namespace kvzip {

/// What the queries of a chunk's repetition attend to.
enum class Scoring : uint8_t {
  exact,  ///< [system | whole document | repeat input]: the published method
  local,  ///< [system | chunk | repeat input], the keys that the score is defined over: cost grows with the document's
          ///< length, not its square. The same as exact for a document of one chunk
};
/// By the name used on the command line ("exact", "local"). Throws Error{usage} listing the names.
Scoring scoring_by_name(std::string_view name);
std::string_view scoring_name(Scoring scoring);

struct ScoreOptions {
  Scoring scoring = Scoring::exact;
  size_t chunk = kRepeatChunk;  ///< document tokens per repetition
  size_t batch = 0;             ///< tokens per pass; 0 = as the device prefers
  uint64_t seed = 0;            ///< of the method `random`
  ProgressFn progress{};        ///< stage "scoring", in tokens of the repeat inputs
};

/// Scores every document position per global layer and KV head: the largest share of attention that any query of the
/// repetition, in any query head of the group, gives to it among [system | its chunk | the repeat input] (Kim et al.
/// 2025, eq. 2 and 3). Sliding layers see their window in both kinds of scoring. The reading stays as it is. Where
/// several devices share the model, all of them get the scores of all heads.
Scores score(const Model& model, const Reading& reading, const ScoreOptions& options = {});
/// The same with repeat inputs of the caller's own; positions that none of them covers score 0.
Scores score(const Model& model, const Reading& reading, const std::vector<RepeatInput>& inputs,
             const ScoreOptions& options);

}  // namespace kvzip
