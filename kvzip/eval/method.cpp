#include "kvzip/eval/method.h"

#include <fmt/format.h>

#include <array>
#include <string>

#include "kvzip/base/error.h"
#include "kvzip/base/quote.h"

namespace kvzip {
namespace {

Scores score_locally(const Model& model, const Reading& reading, const ScoreOptions& options) {
  ScoreOptions local = options;
  local.scoring = Scoring::local;
  return score(model, reading, local);
}

constexpr auto kMethods = std::to_array<Method>({
    {"kvzip", "exact", score},
    {"kvzip", "local", score_locally},
});

}  // namespace

std::span<const Method> methods() { return kMethods; }

const Method& find_method(std::string_view policy, std::string_view scoring) {
  std::string known;
  for (const Method& method : kMethods) {
    if (method.policy == policy && method.scoring == scoring) return method;
    known += fmt::format("{}{} {}", known.empty() ? "" : ", ", method.policy, method.scoring);
  }
  throw Error(ErrorCode::usage, fmt::format("--policy {} --scoring {}: expected one of {}", quote(policy, 40),
                                            quote(scoring, 40), known));
}

}  // namespace kvzip
