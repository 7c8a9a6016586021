#include "kvzip/eval/bleu.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "kvzip/eval/normalize.h"

namespace kvzip {
namespace {

constexpr size_t kLongest = 4;

using Words = std::vector<std::string_view>;

Words words_of(std::string_view text) {
  Words words = split_words(text);
  if (words.empty()) words.emplace_back();
  return words;
}

std::map<Words, size_t> count_runs(const Words& words, size_t length) {
  std::map<Words, size_t> counts;
  for (auto begin = words.begin(); words.end() - begin >= static_cast<std::ptrdiff_t>(length); ++begin)
    ++counts[Words(begin, begin + static_cast<std::ptrdiff_t>(length))];
  return counts;
}

/// How many of the candidate's runs the reference has.
size_t common_runs(const Words& candidate, const Words& reference, size_t length) {
  const auto given = count_runs(candidate, length);
  const auto wanted = count_runs(reference, length);
  size_t common = 0;
  for (const auto& [run, count] : given) {
    const auto found = wanted.find(run);
    if (found != wanted.end()) common += std::min(count, found->second);
  }
  return common;
}

}  // namespace

double sentence_bleu(std::string_view candidate_text, std::string_view reference_text) {
  const Words candidate = words_of(candidate_text);
  const Words reference = words_of(reference_text);
  const auto length = static_cast<double>(candidate.size());
  double log_sum = 0;
  double smoothing = 5;
  for (size_t n = 1; n <= kLongest; ++n) {
    const size_t runs = std::max<size_t>(candidate.size() - std::min(candidate.size(), n - 1), 1);
    auto common = static_cast<double>(common_runs(candidate, reference, n));
    if (common == 0) {
      if (n == 1) return 0;
      if (candidate.size() == 1) continue;
      smoothing *= 2;
      common = std::log(length) / smoothing;
    }
    log_sum += std::log(common / static_cast<double>(runs)) / kLongest;
  }
  const double brevity = std::min(0.0, 1 - static_cast<double>(reference.size()) / length);
  return std::exp(log_sum + brevity);
}

}  // namespace kvzip
