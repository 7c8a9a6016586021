#include "kvzip/eval/metrics.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <utility>

#include "kvzip/base/check.h"
#include "kvzip/eval/normalize.h"
#include "kvzip/eval/rouge.h"

namespace kvzip {
namespace {

constexpr std::array<std::pair<Metric, std::string_view>, 9> kNames = {{{Metric::include, "include"},
                                                                        {Metric::include_all, "include-all"},
                                                                        {Metric::exact, "exact"},
                                                                        {Metric::many_shot, "many-shot"},
                                                                        {Metric::rouge, "rouge-l"},
                                                                        {Metric::f1_or_include, "f1-or-include"},
                                                                        {Metric::first_line, "first-line"},
                                                                        {Metric::gsm, "gsm"},
                                                                        {Metric::repoqa, "repoqa"}}};

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

/// What follows the last `mark`; all of `text` where there is none.
std::string_view after_last(std::string_view text, std::string_view mark) {
  const size_t at = text.rfind(mark);
  return at == std::string_view::npos ? text : text.substr(at + mark.size());
}

/// What stands between the first "(" and the next ")" or "(".
std::string_view option_letter(std::string_view text) {
  const std::string_view inside = text.substr(text.find('(') + 1);
  return inside.substr(0, std::min(inside.find_first_of("()"), inside.size()));
}

/// "(A) words" -> "words".
std::string_view option_words(std::string_view text) {
  const size_t closing = text.find(')');
  if (closing == std::string_view::npos) return text;
  const std::string_view rest = text.substr(closing + 1);
  return strip_text(rest.substr(0, std::min(rest.find(')'), rest.size())));
}

}  // namespace

std::string_view metric_name(Metric metric) {
  for (const auto& [known, name] : kNames) {
    if (known == metric) return name;
  }
  check(false, "every metric has a name");
  return {};
}

bool include_score(std::string_view answer, std::string_view reference) {
  return contains(normalize_answer(answer), normalize_answer(reference));
}

double f1_score(std::string_view answer, std::string_view reference) {
  const std::string answer_text = normalize_answer(answer);
  const std::string reference_text = normalize_answer(reference);
  const auto given = split_words(answer_text);
  const auto expected = split_words(reference_text);
  std::map<std::string_view, size_t> left;
  for (const std::string_view word : expected) ++left[word];
  size_t common = 0;
  for (const std::string_view word : given) {
    const auto found = left.find(word);
    if (found == left.end() || found->second == 0) continue;
    --found->second;
    ++common;
  }
  if (common == 0) return 0;
  const double precision = static_cast<double>(common) / static_cast<double>(given.size());
  const double recall = static_cast<double>(common) / static_cast<double>(expected.size());
  return 2 * precision * recall / (precision + recall);
}

bool exact_score(std::string_view answer, std::string_view reference) {
  return normalize_answer(answer) == normalize_answer(reference);
}

double rouge_score(std::string_view answer, std::string_view reference) { return rouge_l(answer, reference); }

double include_all_score(std::string_view answer, std::string_view reference, Compared how) {
  constexpr std::string_view kComma = ", ";
  const bool normalized = how == Compared::normalized;
  const std::string text = normalized ? normalize_answer(answer) : std::string(answer);
  size_t parts = 0;
  size_t found = 0;
  for (size_t begin = 0; begin <= reference.size();) {
    const size_t end = std::min(reference.find(kComma, begin), reference.size());
    const std::string_view part = reference.substr(begin, end - begin);
    ++parts;
    if (contains(text, normalized ? normalize_answer(part) : std::string(part))) ++found;
    begin = end + (end == reference.size() ? 1 : kComma.size());
  }
  return static_cast<double>(found) / static_cast<double>(parts);
}

bool many_shot_score(std::string_view answer, std::string_view reference) {
  const bool option = reference.starts_with('(');
  if (option && answer.starts_with('(')) return option_letter(answer) == option_letter(reference);
  return !answer.empty() && include_score(answer, option ? option_words(reference) : reference);
}

bool gsm_score(std::string_view answer, std::string_view reference) {
  const std::string lower = lower_text(strip_text(answer));
  return contains(after_last(lower, "the answer is "), after_last(strip_text(reference), "#### "));
}

double grade(Metric metric, std::string_view answer, std::string_view reference) {
  answer = without_end_mark(answer);
  if (strip_text(answer).empty()) return 0;
  switch (metric) {
    case Metric::include:
      return include_score(answer, reference) ? 1 : 0;
    case Metric::include_all:
      return include_all_score(answer, reference, Compared::as_they_are);
    case Metric::exact:
      return answer == reference ? 1 : 0;
    case Metric::many_shot:
      return many_shot_score(answer, reference) ? 1 : 0;
    case Metric::rouge:
      return rouge_score(answer, reference);
    case Metric::f1_or_include:
      return include_score(answer, reference) ? 1 : f1_score(answer, reference);
    case Metric::first_line:
      return include_score(answer.substr(0, std::min(answer.find('\n'), answer.size())), reference) ? 1 : 0;
    case Metric::gsm:
      return gsm_score(answer, reference) ? 1 : 0;
    case Metric::repoqa:
      check(false, "a metric of an answer and a reference");
  }
  check(false, "every metric has a rule");
  return 0;
}

}  // namespace kvzip
