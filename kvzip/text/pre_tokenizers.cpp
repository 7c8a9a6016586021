#include "kvzip/text/pre_tokenizers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "kvzip/base/error.h"
#include "kvzip/base/quote.h"

namespace kvzip {

namespace {

// The patterns are part of the models: any change to them changes what the models read.
constexpr std::string_view kDigit = R"(\p{N})";
constexpr std::string_view kGpt2 = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kLlama3 = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3})"
                                     R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen35 = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N})"
                                     R"(| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
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
      {{"gpt-2", "phi-2", "olmo"}, {kGpt2}},
      {{"smollm", "starcoder", "refact", "command-r", "codeshell"}, {kDigit, kGpt2}},
      {{"qwen2", "deepseek-r1-qwen"}, {kQwen2}},
      {{"qwen35"}, {kQwen35}},
      {{"llama-bpe", "llama3", "llama-v3"}, {kLlama3}, true},
      {{"default"}, {kPunctuation, kGpt2, kDigits, kThreeDigits}},
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
