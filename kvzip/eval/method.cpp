#include "kvzip/eval/method.h"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "kvzip/base/error.h"
#include "kvzip/base/quote.h"

namespace kvzip {
namespace {

/// Every method by the name of the published scoring, and those that repeat the document by the other kinds too.
std::vector<Method> all_methods() {
  std::vector<Method> all;
  for (const ScoringMethod& method : scoring_methods()) {
    all.push_back({method.name, scoring_name(Scoring::exact)});
    if (method.source != Source::rows) all.push_back({method.name, scoring_name(Scoring::local)});
  }
  return all;
}

}  // namespace

Scores Method::score(const Model& model, const Reading& reading, ScoreOptions options) const {
  options.scoring = scoring_by_name(scoring);
  return score_by(method_by_name(policy), model, reading, options);
}

std::span<const Method> methods() {
  static const std::vector<Method> kAll = all_methods();
  return kAll;
}

const Method& find_method(std::string_view policy, std::string_view scoring) {
  std::string known;
  for (const Method& method : methods()) {
    if (method.policy == policy && method.scoring == scoring) return method;
    known += fmt::format("{}{} {}", known.empty() ? "" : ", ", method.policy, method.scoring);
  }
  throw Error(ErrorCode::usage, fmt::format("--policy {} --scoring {}: expected one of {}", quote(policy, 40),
                                            quote(scoring, 40), known));
}

}  // namespace kvzip
