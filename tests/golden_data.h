// A folder in the golden format (see tests/golden/README.md), of a real model (meta.json) or a tiny one (golden.json).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kvzip/cache/scores.h"
#include "kvzip/policy/level.h"
#include "kvzip/stages/reconstruct.h"

namespace kvzip::golden {

struct GoldenAnswer {
  size_t query = 0;
  std::string text;
  std::vector<double> p_answer;  ///< probability of each token of the full cache's answer
  double min_top2_margin = 0;
};

struct GoldenCase {
  Level level = Level::pair;
  double ratio = 1;
  std::string name;  ///< "pair_0.3"
  double threshold = 0;
  std::vector<std::vector<uint32_t>> kept_per_head;  ///< real models
  std::vector<GoldenAnswer> answers;                 ///< real models
  std::vector<TokenId> greedy;                       ///< tiny models
};

struct GoldenTensor {
  std::vector<size_t> shape;
  std::vector<float> values;
};

struct Golden {
  std::string context_file;  ///< real models
  std::vector<TokenId> system, context, postfix;
  std::vector<std::vector<TokenId>> queries;
  std::vector<std::string> query_text;
  std::vector<RepeatInput> repeat_inputs;
  std::vector<TokenId> greedy_full;
  std::vector<GoldenCase> cases;
  std::map<std::string, GoldenTensor> tensors;

  Scores scores() const;
  const GoldenTensor* find(const std::string& name) const;
};

/// Throws Error{input} naming the file and what is missing in it.
Golden read_golden(const std::string& folder);

}  // namespace kvzip::golden
