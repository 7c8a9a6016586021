// The methods of scoring, by name. Adding one takes a file with its rule (scorer.h) and a row in methods.cpp.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "kvzip/policy/scorer.h"

namespace kvzip {

/// What a method scores by.
enum class Source : uint8_t {
  repetition,           ///< the document's repetition (stages/score.h)
  weighted_repetition,  ///< the same, by the weight of what is attended to (stages/score_plus.h)
  rows,                 ///< keys, values and queries of the reading (scorer.h)
};

struct ScoringMethod {
  std::string_view name;
  std::string_view rule;  ///< what it keeps, in a few words, for people
  Source source;
  std::unique_ptr<Scorer> (*make)(const ScorerSetup&) = nullptr;  ///< for Source::rows
};

/// All of them; the first is the default.
std::span<const ScoringMethod> scoring_methods();
/// Throws Error{usage} listing the names.
const ScoringMethod& method_by_name(std::string_view name);

}  // namespace kvzip
