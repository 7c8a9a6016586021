#include "kvzip/policy/level.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <utility>

#include "kvzip/base/check.h"
#include "kvzip/base/parallel.h"
#include "kvzip/base/ranking.h"
#include "kvzip/policy/level_rules.h"

namespace kvzip {
namespace {

constexpr std::array kLevels = {
    LevelName{Level::pair, "pair", "the best pairs of all heads"},
    LevelName{Level::pair_uniform, "pair-uniform", "as many of each head"},
    LevelName{Level::head, "head", "whole heads"},
    LevelName{Level::per_layer, "per-layer", "as many of each layer, the best of its heads"},
    LevelName{Level::pyramid, "pyramid", "more of early layers than of late ones, as many of each of a layer's heads"},
};

/// The score that kept ones must exceed so that about `ratio` of all pairs remains: sorted descending, the entry at
/// n = max(int(count * ratio) - 1, 0).
float threshold_for(const BestScores& scores, double ratio) {
  const auto wanted = static_cast<size_t>(static_cast<double>(scores.heads.size() * scores.len) * ratio);
  const size_t n = wanted > 0 ? wanted - 1 : 0;
  size_t known = 0;
  for (const auto& head : scores.heads) known += head.size();
  return n < known ? nth_largest(scores.heads, n) : std::numeric_limits<float>::lowest();
}

uint32_t count_above(std::span<const float> scores, float threshold) {
  return static_cast<uint32_t>(
      std::count_if(scores.begin(), scores.end(), [=](float score) { return score > threshold; }));
}

Selection select_pairs(const BestScores& scores, double ratio, Keep keep) {
  const float threshold = threshold_for(scores, ratio);
  constexpr size_t kGrain = size_t{1} << 18U;  // scores worth a thread: counting them takes less than starting one
  parallel_ranges(keep.rows.size(), kGrain / std::max<size_t>(scores.len, 1) + 1, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) keep.rows[i] = count_above(scores.heads[i], threshold);
  });
  return {std::move(keep), threshold};
}

// The rule for pairs with every row of a head carrying the head's score, so that heads stay or go whole.
Selection select_heads(const BestScores& scores, double ratio, const HeadScores& heads, Keep keep) {
  if (heads.layers != scores.layers || heads.kv_heads != scores.kv_heads) {
    throw Error(ErrorCode::input,
                fmt::format("head scores: expected {} layers x {} heads as in the model, found {} x {}", scores.layers,
                            scores.kv_heads, heads.layers, heads.kv_heads));
  }
  std::vector<float> sorted = heads.values;
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  const size_t pairs = scores.len * sorted.size();
  const auto wanted = static_cast<size_t>(static_cast<double>(pairs) * ratio);
  const float threshold = sorted[(wanted > 0 ? wanted - 1 : 0) / scores.len];
  for (size_t i = 0; i < keep.rows.size(); ++i)
    keep.rows[i] = heads.values[i] > threshold ? static_cast<uint32_t>(scores.len) : 0;
  return {std::move(keep), threshold};
}

Selection select_by(const BestScores& scores, Level level, double ratio, const HeadScores& heads) {
  if (!(ratio > 0))
    throw Error(ErrorCode::usage,
                fmt::format("keep ratio {}: expected more than 0 and at most 1, the fraction kept", ratio));
  Keep keep{scores.layers, scores.kv_heads, scores.len, std::vector<uint32_t>(scores.heads.size())};
  if (ratio >= 1 || scores.heads.empty() || scores.len == 0) {
    keep.rows.assign(keep.rows.size(), static_cast<uint32_t>(scores.len));
    return {std::move(keep), 0};
  }
  switch (level) {
    case Level::pair:
      return select_pairs(scores, ratio, std::move(keep));
    case Level::pair_uniform:
      keep.rows.assign(keep.rows.size(), static_cast<uint32_t>(static_cast<double>(scores.len) * ratio));
      return {std::move(keep), 0};
    case Level::head:
      return select_heads(scores, ratio, heads, std::move(keep));
    case Level::per_layer:
      return select_per_layer(scores, ratio, std::move(keep));
    case Level::pyramid:
      return select_pyramid(scores, ratio, std::move(keep));
  }
  check(false, "every level has a rule");
  return {};
}

}  // namespace

std::span<const LevelName> levels() { return kLevels; }

Level level_by_name(std::string_view name) {
  std::string known;
  for (const LevelName& each : kLevels) {
    if (each.name == name) return each.level;
    known += (known.empty() ? "" : ", ") + std::string(each.name);
  }
  throw Error(ErrorCode::usage, fmt::format("level '{}': expected one of {}", name, known));
}

std::string_view level_name(Level level) {
  for (const LevelName& each : kLevels) {
    if (each.level == level) return each.name;
  }
  check(false, "every level has a name");
  return {};
}

HeadScores head_scores(const Scores& scores) {
  HeadScores heads{scores.layers, scores.kv_heads, {}};
  for (size_t layer = 0; layer < scores.layers; ++layer) {
    for (size_t head = 0; head < scores.kv_heads; ++head) {
      const auto row = scores.row(layer, head);
      heads.values.push_back(row.empty() ? 0.0F : *std::max_element(row.begin(), row.end()));
    }
  }
  return heads;
}

void merge_head_scores(HeadScores& scores, const HeadScores& more) {
  if (scores.layers != more.layers || scores.kv_heads != more.kv_heads) {
    throw Error(ErrorCode::input, fmt::format("head scores: expected {} layers x {} heads, found {} x {}",
                                              scores.layers, scores.kv_heads, more.layers, more.kv_heads));
  }
  for (size_t i = 0; i < scores.values.size(); ++i) scores.values[i] = std::max(scores.values[i], more.values[i]);
}

Selection select(const Scores& scores, Level level, double ratio, const HeadScores& heads) {
  return select_by(all_of(scores), level, ratio, heads);
}

Selection select(const Scores& scores, Level level, double ratio) {
  return select(scores, level, ratio, level == Level::head ? head_scores(scores) : HeadScores{});
}

Selection select(const BestScores& scores, Level level, double ratio) {
  check(level != Level::head, "whole heads are chosen by all scores");
  return select_by(scores, level, ratio, {});
}

}  // namespace kvzip
