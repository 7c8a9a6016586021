// Scoring by any method of policy/methods.h.
#pragma once

#include "kvzip/policy/methods.h"
#include "kvzip/stages/score.h"

namespace kvzip {

/// Scores every document position per global layer and KV head by `method`. Where that needs queries, the rows they
/// belong to are read again: the last ones over the reading, or all of them where the method wants all or the model has
/// sliding layers, which no longer hold what early rows saw. Throws Error{memory}, Error{cancelled}; Error{usage} where
/// several devices share the model, for all methods but kvzip. The reading stays as it is.
Scores score_by(const ScoringMethod& method, const Model& model, const Reading& reading,
                const ScoreOptions& options = {});

}  // namespace kvzip
