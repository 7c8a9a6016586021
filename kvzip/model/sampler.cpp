#include "kvzip/model/sampler.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kvzip/base/check.h"
#include "kvzip/base/error.h"

namespace kvzip {
namespace {

void expect(bool holds, const char* option, const char* expected, float found) {
  if (holds) return;
  throw Error(ErrorCode::usage, fmt::format("{}: expected {}, found {}", option, expected, found));
}

/// Likelier first, then the lower id: a total order, so that every filter keeps one well-defined set.
constexpr auto kLikelier = [](const auto& a, const auto& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
};

/// The probability of a candidate relative to that of the likeliest.
double weight(float logit, float top, double temperature) {
  return std::exp((static_cast<double>(logit) - static_cast<double>(top)) / temperature);
}

constexpr float kLargest = std::numeric_limits<float>::max();

/// Neither NaN, with which comparisons are false, nor -inf.
bool is_possible(float logit) { return logit >= -kLargest; }

/// The first of the largest logits, without the copies that drawing needs: greedy decoding is what most callers do.
TokenId likeliest(std::span<const float> logits) {
  float best = -std::numeric_limits<float>::infinity();
  TokenId id = -1;
  for (size_t i = 0; i < logits.size(); ++i) {
    const float logit = std::min(logits[i], kLargest);
    if (logit > best) {
      best = logit;
      id = static_cast<TokenId>(i);
    }
  }
  if (id < 0) fail_without_candidates();
  return id;
}

float top_logit(const auto& candidates) { return std::ranges::min_element(candidates, kLikelier)->logit; }

}  // namespace

void fail_without_candidates() {
  throw Error(ErrorCode::input, "sampling: expected logits that are numbers, found none; the model may be corrupt");
}

Sampler::Sampler(const SamplerOptions& options) : options_(options), random_(options.seed) {
  const auto& [temperature, top_k, top_p, min_p, repeat_penalty, repeat_last_n, seed] = options_;
  expect(std::isfinite(temperature) && temperature >= 0, "temperature", "a number of at least 0", temperature);
  expect(top_p > 0 && top_p <= 1, "top-p", "more than 0 and at most 1", top_p);
  expect(min_p >= 0 && min_p <= 1, "min-p", "a number from 0 to 1", min_p);
  expect(std::isfinite(repeat_penalty) && repeat_penalty > 0, "repeat-penalty", "a number above 0", repeat_penalty);
}

TokenId Sampler::sample(std::span<const float> logits, std::span<const TokenId> recent) {
  if (is_greedy()) return likeliest(logits);
  candidates_.clear();
  for (size_t i = 0; i < logits.size(); ++i) {
    const float logit = std::min(logits[i], kLargest);
    if (is_possible(logit)) candidates_.push_back({logit, static_cast<TokenId>(i)});
  }
  return choose(recent);
}

// A penalty above 1 never raises a logit: besides the k wanted, as many more as it can lower.
size_t Sampler::candidates_needed(std::span<const TokenId> recent) const {
  constexpr size_t kMost = 1024;
  const size_t wanted = options_.temperature == 0 ? 1 : options_.top_k;
  if (wanted == 0 || wanted > kMost || options_.repeat_penalty < 1) return 0;
  if (options_.repeat_penalty == 1) return wanted;
  const size_t lowered = std::min(recent.size(), options_.repeat_last_n);
  return lowered > kMost ? 0 : wanted + lowered;
}

TokenId Sampler::sample(std::span<const Candidate> candidates, std::span<const TokenId> recent) {
  candidates_.assign(candidates.begin(), candidates.end());
  return choose(recent);
}

TokenId Sampler::choose(std::span<const TokenId> recent) {
  penalise(recent);
  if (candidates_.empty()) fail_without_candidates();
  if (options_.temperature == 0) return std::ranges::min_element(candidates_, kLikelier)->id;
  apply_top_k();
  apply_top_p();
  apply_min_p();
  return draw();
}

void Sampler::penalise(std::span<const TokenId> recent) {
  const std::span<const TokenId> last = recent.last(std::min(recent.size(), options_.repeat_last_n));
  if (options_.repeat_penalty == 1 || last.empty()) return;
  std::vector<TokenId> repeated(last.begin(), last.end());
  std::ranges::sort(repeated);
  for (auto at = repeated.begin(); at != repeated.end(); at = std::upper_bound(at, repeated.end(), *at)) {
    const auto found = std::ranges::lower_bound(candidates_, *at, {}, &Candidate::id);
    if (found == candidates_.end() || found->id != *at) continue;
    const float logit = found->logit;
    found->logit = std::min(logit > 0 ? logit / options_.repeat_penalty : logit * options_.repeat_penalty, kLargest);
  }
  std::erase_if(candidates_, [](const Candidate& c) { return !is_possible(c.logit); });
}

/// Keeps the candidates that ranking_[0, last] holds, given that ranking_[last] is the least likely of them.
void Sampler::keep_from(size_t last) {
  const Candidate least = ranking_[last];
  std::erase_if(candidates_, [&](const Candidate& c) { return kLikelier(least, c); });
}

void Sampler::apply_top_k() {
  if (options_.top_k == 0 || options_.top_k >= candidates_.size()) return;
  ranking_ = candidates_;
  const size_t last = options_.top_k - 1;
  std::nth_element(ranking_.begin(), ranking_.begin() + static_cast<ptrdiff_t>(last), ranking_.end(), kLikelier);
  keep_from(last);
}

/// Bisects for the shortest prefix of the ranking that reaches the mass. Each step selects and sums within half of the
/// range before, so that all steps together are linear.
void Sampler::apply_top_p() {
  if (options_.top_p >= 1) return;
  ranking_ = candidates_;
  const float top = top_logit(candidates_);
  const auto mass = [&](size_t begin, size_t end) {
    double sum = 0;
    for (size_t i = begin; i < end; ++i) sum += weight(ranking_[i].logit, top, 1);
    return sum;
  };
  double needed = static_cast<double>(options_.top_p) * mass(0, ranking_.size());
  size_t begin = 0;
  size_t end = ranking_.size();
  while (end - begin > 1) {
    const size_t middle = begin + (end - begin) / 2;
    const auto at = [&](size_t i) { return ranking_.begin() + static_cast<ptrdiff_t>(i); };
    std::nth_element(at(begin), at(middle), at(end), kLikelier);
    const double half = mass(begin, middle);
    if (half >= needed) {
      end = middle;
    } else {
      needed -= half;
      begin = middle;
    }
  }
  keep_from(begin);
}

void Sampler::apply_min_p() {
  if (options_.min_p <= 0) return;
  const float top = top_logit(candidates_);
  std::erase_if(candidates_, [&](const Candidate& c) { return weight(c.logit, top, 1) < options_.min_p; });
}

TokenId Sampler::draw() {
  const float top = top_logit(candidates_);
  double total = 0;
  for (const Candidate& c : candidates_) total += weight(c.logit, top, options_.temperature);
  // The standard leaves uniform_real_distribution to the implementation; the top 53 bits are the same everywhere.
  double left = std::ldexp(static_cast<double>(random_() >> 11U), -53) * total;
  TokenId chosen = -1;
  for (const Candidate& c : candidates_) {
    const double mass = weight(c.logit, top, options_.temperature);
    if (mass <= 0) continue;
    chosen = c.id;  // rounding may leave a rest after the last one, which then takes it
    if (left < mass) break;
    left -= mass;
  }
  check(chosen >= 0, "the likeliest candidate has weight 1");
  return chosen;
}

}  // namespace kvzip
