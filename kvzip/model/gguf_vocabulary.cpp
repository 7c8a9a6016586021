#include "kvzip/model/gguf_vocabulary.h"

#include <fmt/format.h>

#include "kvzip/base/error.h"

namespace kvzip {

namespace {

constexpr std::string_view kTokens = "tokenizer.ggml.tokens";
constexpr std::string_view kTokenTypes = "tokenizer.ggml.token_type";
constexpr std::string_view kScores = "tokenizer.ggml.scores";
constexpr std::string_view kMerges = "tokenizer.ggml.merges";

void expect_one_per_token(const Gguf& file, std::string_view key, size_t found, size_t tokens) {
  if (found == tokens) return;
  throw Error(ErrorCode::input,
              fmt::format("{}: {}: expected one for each of {} tokens, found {}", file.path(), key, tokens, found));
}

std::vector<TokenKind> token_kinds(const Gguf& file, size_t tokens) {
  std::vector<TokenKind> kinds;
  if (!file.has(kTokenTypes)) return kinds;
  const std::vector<int64_t> types = file.ints(kTokenTypes);
  expect_one_per_token(file, kTokenTypes, types.size(), tokens);
  kinds.reserve(types.size());
  for (size_t i = 0; i < types.size(); ++i) {
    if (types[i] < static_cast<int64_t>(TokenKind::normal) || types[i] > static_cast<int64_t>(TokenKind::byte)) {
      throw Error(ErrorCode::input,
                  fmt::format("{}: {}[{}]: expected 1 to 6, found {}", file.path(), kTokenTypes, i, types[i]));
    }
    kinds.push_back(static_cast<TokenKind>(types[i]));
  }
  return kinds;
}

}  // namespace

Vocabulary gguf_vocabulary(const Gguf& file) {
  Vocabulary vocabulary;
  vocabulary.model = file.get_string("tokenizer.ggml.model");
  vocabulary.pre = file.find_string("tokenizer.ggml.pre").value_or("default");
  const std::vector<std::string_view> tokens = file.strings(kTokens);
  if (tokens.empty())
    throw Error(ErrorCode::input, fmt::format("{}: {}: expected tokens, found none", file.path(), kTokens));
  vocabulary.tokens.assign(tokens.begin(), tokens.end());
  vocabulary.kinds = token_kinds(file, tokens.size());
  if (vocabulary.model == "llama") {
    const std::vector<double> scores = file.floats(kScores);
    expect_one_per_token(file, kScores, scores.size(), tokens.size());
    vocabulary.scores.reserve(scores.size());
    for (const double score : scores) vocabulary.scores.push_back(static_cast<float>(score));
  }
  if (vocabulary.model == "gpt2") {
    const std::vector<std::string_view> merges = file.strings(kMerges);
    if (merges.empty())
      throw Error(ErrorCode::input, fmt::format("{}: {}: expected merges, found none", file.path(), kMerges));
    vocabulary.merges.assign(merges.begin(), merges.end());
  }
  vocabulary.add_space_prefix = file.find_bool("tokenizer.ggml.add_space_prefix").value_or(true);
  return vocabulary;
}

}  // namespace kvzip
