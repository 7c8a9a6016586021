#include "kvzip/text/pre_tokenizers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "kvzip/base/error.h"
#include "kvzip/base/quote.h"
#include "kvzip/text/split_patterns.h"

namespace kvzip {

namespace {

// Like those in split_patterns.h.
constexpr std::string_view kDigit = R"(\p{N})";
constexpr std::string_view kPunctuation = R"([\p{P}$+<=>^~|]+)";
constexpr std::string_view kDigits = R"(\p{N}+)";
constexpr std::string_view kThreeDigits = R"([0-9][0-9][0-9])";

struct Row {
  std::vector<std::string_view> names;  ///< the first is ours, the others are models whose rules are the same
  std::vector<std::string_view> stages;
  bool whole_words_first = false;
};

const std::vector<Row>& rows() {
  static const std::vector<Row> kRows = {
      {{"gpt-2", "phi-2", "olmo"}, {kGpt2Words}},
      {{"smollm", "starcoder", "refact", "command-r", "codeshell"}, {kDigit, kGpt2Words}},
      {{"qwen2", "deepseek-r1-qwen"}, {kQwen2Words}},
      {{"qwen35"}, {kQwen35Words}},
      {{"llama-bpe", "llama3", "llama-v3"}, {kLlama3Words}, true},
      {{"default"}, {kPunctuation, kGpt2Words, kDigits, kThreeDigits}},
  };
  return kRows;
}

const Row& row_of(std::string_view name) {
  std::vector<std::string_view> known;
  for (const Row& row : rows()) {
    if (std::ranges::find(row.names, name) != row.names.end()) return row;
    known.insert(known.end(), row.names.begin(), row.names.end());
  }
  throw Error(ErrorCode::unsupported,
              fmt::format("tokenizer.ggml.pre: expected one of {}, found {}", fmt::join(known, ", "), quote(name)));
}

}  // namespace

const std::vector<std::string_view>& pre_tokenizer_patterns(std::string_view name) { return row_of(name).stages; }

PreTokenizer::PreTokenizer(std::string_view name) : name_(name) {
  const Row& row = row_of(name);
  whole_words_first_ = row.whole_words_first;
  for (const std::string_view stage : row.stages) stages_.emplace_back(stage);
}

void PreTokenizer::split(std::string_view text, const std::function<void(std::string_view)>& visit) const {
  split_from(0, text, visit);
}

void PreTokenizer::split_from(size_t stage, std::string_view text,
                              const std::function<void(std::string_view)>& visit) const {
  if (stage == stages_.size()) return visit(text);
  stages_[stage].split(text, [&](std::string_view piece, bool) { split_from(stage + 1, piece, visit); });
}

}  // namespace kvzip
