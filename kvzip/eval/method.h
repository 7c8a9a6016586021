// The ways of scoring a document's rows that an evaluation can compare, by the names that results carry. Stateless.
#pragma once

#include <span>
#include <string_view>

#include "kvzip/stages/score_method.h"

namespace kvzip {

struct Method {
  std::string_view policy;   ///< what a row's importance is: a name of policy/methods.h
  std::string_view scoring;  ///< how it is found out: a name of stages/score.h

  /// Of the options all but the kind of scoring.
  Scores score(const Model& model, const Reading& reading, ScoreOptions options) const;
};

/// All of them; the first one is the published method, exact.
std::span<const Method> methods();
/// Throws Error{usage} that lists what there is.
const Method& find_method(std::string_view policy, std::string_view scoring);

}  // namespace kvzip
