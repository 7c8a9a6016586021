#include "kvzip/policy/methods.h"

#include <fmt/format.h>

#include <array>
#include <string>

#include "kvzip/base/error.h"

namespace kvzip {
namespace {

constexpr std::array kMethods = {
    ScoringMethod{"kvzip", "what the model looks at while it repeats the document", Source::repetition},
    ScoringMethod{"kvzip+", "the same, weighted by what the pair adds to the layer's output",
                  Source::weighted_repetition},
    ScoringMethod{"streaming-llm", "the first four rows and the most recent ones", Source::rows, make_streaming_llm},
    ScoringMethod{"random", "any rows", Source::rows, make_random},
    ScoringMethod{"knorm", "keys of small norm", Source::rows, make_knorm},
    ScoringMethod{"keydiff", "keys unlike the others", Source::rows, make_keydiff},
    ScoringMethod{"snapkv", "what the last 64 queries attend to", Source::rows, make_snapkv},
    ScoringMethod{"tova", "what the last query attends to", Source::rows, make_tova},
    ScoringMethod{"h2o", "what got attention while the document was read", Source::rows, make_h2o},
    ScoringMethod{"expected-attention", "what queries like the document's own would attend to", Source::rows,
                  make_expected_attention},
};

}  // namespace

std::span<const ScoringMethod> scoring_methods() { return kMethods; }

const ScoringMethod& method_by_name(std::string_view name) {
  std::string known;
  for (const ScoringMethod& method : kMethods) {
    if (method.name == name) return method;
    known += (known.empty() ? "" : ", ") + std::string(method.name);
  }
  throw Error(ErrorCode::usage, fmt::format("method '{}': expected one of {}", name, known));
}

}  // namespace kvzip
