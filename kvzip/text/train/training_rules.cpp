#include "kvzip/text/train/training_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>

#include "kvzip/base/error.h"
#include "kvzip/base/quote.h"
#include "kvzip/text/pre_tokenizers.h"

namespace kvzip {

std::string_view bpe_rules(std::string_view pattern) {
  struct Row {
    std::string_view pattern;
    std::string_view rules;
  };
  static constexpr std::array<Row, 3> kRows = {{{"gpt2", "gpt-2"}, {"llama3", "llama3"}, {"qwen2", "qwen2"}}};
  const auto* const row = std::find_if(kRows.begin(), kRows.end(), [&](const Row& r) { return r.pattern == pattern; });
  if (row == kRows.end())
    throw Error(ErrorCode::usage, fmt::format("--pattern: expected gpt2, llama3 or qwen2, found {}", quote(pattern)));
  return row->rules;
}

WordSplitter training_splitter(const TokenizerTraining& training) {
  using Visit = std::function<void(std::string_view)>;
  const auto rules = std::make_shared<PreTokenizer>(bpe_rules(training.pattern));
  if (!training.add_prefix_space)
    return [rules](std::string_view line, const Visit& visit) { rules->split(line, visit); };
  return [rules](std::string_view line, const Visit& visit) {
    rules->split(line.starts_with(' ') ? std::string(line) : " " + std::string(line), visit);
  };
}

}  // namespace kvzip
