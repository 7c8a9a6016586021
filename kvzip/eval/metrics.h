// How good an answer is: the metrics of the original implementation's evaluation (SCBench's). Pure functions.
#pragma once

#include <cstdint>
#include <string_view>

namespace kvzip {

enum class Metric : uint8_t {
  include,        ///< the normalised reference is part of the normalised answer
  include_all,    ///< the share of the reference's parts, set apart by ", ", that are in the answer, letter by letter
  exact,          ///< the same, letter by letter
  many_shot,      ///< the same option: "(A) ..." by its letter, otherwise by its words
  rouge,          ///< ROUGE-L
  f1_or_include,  ///< the better of F1 and include
  first_line,     ///< include, of the answer's first line
  gsm,            ///< what follows the last "the answer is " includes the number after "#### "
  repoqa,         ///< of a document's functions, the right one is most like the answer's (function_match.h)
};

/// "include", "include-all", ...: how results and tables name it.
std::string_view metric_name(Metric metric);

/// A value in [0, 1]. A trailing "</s>" of the answer doesn't count, and a blank answer is worth 0. `reference` must
/// not be blank, except as far as the metric ignores it. Not for `repoqa`, which needs all functions: document.h.
double grade(Metric metric, std::string_view answer, std::string_view reference);

/// The parts that grade() is made of. `include`, `f1` and `exact` of normalised texts; an empty reference is included
/// in everything.
bool include_score(std::string_view answer, std::string_view reference);
double f1_score(std::string_view answer, std::string_view reference);
bool exact_score(std::string_view answer, std::string_view reference);
double rouge_score(std::string_view answer, std::string_view reference);
bool many_shot_score(std::string_view answer, std::string_view reference);
bool gsm_score(std::string_view answer, std::string_view reference);
enum class Compared : uint8_t { as_they_are, normalized };
double include_all_score(std::string_view answer, std::string_view reference, Compared how);

}  // namespace kvzip
