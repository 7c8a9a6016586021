#include "kvzip/eval/beliefs.h"

#include <algorithm>
#include <cmath>

#include "kvzip/base/check.h"
#include "kvzip/base/parallel.h"

namespace kvzip {
namespace {

constexpr double kLeastProbability = 1e-30;  // so that a logarithm stays finite

}  // namespace

Beliefs beliefs_of(std::span<const float> logits, std::span<const TokenId> answer) {
  Beliefs beliefs;
  if (answer.empty()) return beliefs;
  const size_t vocab = logits.size() / answer.size();
  check(logits.size() == vocab * answer.size() && vocab >= 2, "one row of logits predicts each token");
  beliefs.p_answer.resize(answer.size());
  beliefs.margin.resize(answer.size());
  beliefs.top.resize(answer.size());
  parallel_ranges(answer.size(), 1, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      const auto row = logits.subspan(i * vocab, vocab);
      const auto top = static_cast<size_t>(std::max_element(row.begin(), row.end()) - row.begin());
      double total = 0;
      double second = 0;
      for (size_t id = 0; id < vocab; ++id) {
        const double share = std::exp(static_cast<double>(row[id]) - static_cast<double>(row[top]));
        total += share;
        if (id != top) second = std::max(second, share);
      }
      const auto token = static_cast<size_t>(answer[i]);
      beliefs.p_answer[i] =
          static_cast<float>(std::exp(static_cast<double>(row[token]) - static_cast<double>(row[top])) / total);
      beliefs.margin[i] = static_cast<float>((1 - second) / total);
      beliefs.top[i] = static_cast<TokenId>(top);
    }
  });
  return beliefs;
}

BeliefComparison compare_beliefs(const Beliefs& beliefs, const Beliefs& full) {
  check(beliefs.top.size() == full.top.size(), "both memories saw the same answer");
  BeliefComparison comparison;
  if (beliefs.top.empty()) return comparison;
  for (size_t i = 0; i < beliefs.top.size(); ++i) {
    const auto p = static_cast<double>(beliefs.p_answer[i]);
    comparison.mean_p_answer += p;
    comparison.mean_log_p += std::log(std::max(p, kLeastProbability));
    if (beliefs.top[i] != full.top[i]) comparison.flips.push_back(i);
  }
  const auto count = static_cast<double>(beliefs.top.size());
  comparison.mean_p_answer /= count;
  comparison.mean_log_p /= count;
  comparison.min_margin = static_cast<double>(*std::min_element(beliefs.margin.begin(), beliefs.margin.end()));
  return comparison;
}

}  // namespace kvzip
