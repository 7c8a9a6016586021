// What is known about the .tiktoken files that are in use. The patterns and special tokens are part of the models: any
// change to them changes what the models read.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "kvzip/base/error.h"
#include "kvzip/base/quote.h"
#include "kvzip/text/formats/tiktoken.h"
#include "kvzip/text/split_patterns.h"

namespace kvzip {

namespace {

struct Special {
  std::string_view spelling;
  TokenId id;
};

/// Tokens that are numbered: `before`, a number from `first` on, `after`, for ids from `id` on.
struct Numbered {
  std::string_view before;
  std::string_view after;
  int first;
  TokenId id;
  int count;
};

struct Row {
  std::string_view name;
  std::string_view pattern;
  std::vector<Special> specials;
  std::vector<Numbered> numbered;
};

const std::vector<Row>& rows() {
  static const std::vector<Row> kRows = {
      {"gpt2", kR50kWords, {{"<|endoftext|>", 50256}}, {}},
      {"r50k_base", kR50kWords, {{"<|endoftext|>", 50256}}, {}},
      {"p50k_base", kR50kWords, {{"<|endoftext|>", 50256}}, {}},
      {"p50k_edit",
       kR50kWords,
       {{"<|endoftext|>", 50256}, {"<|fim_prefix|>", 50281}, {"<|fim_middle|>", 50282}, {"<|fim_suffix|>", 50283}},
       {}},
      {"cl100k_base",
       kCl100kWords,
       {{"<|endoftext|>", 100257},
        {"<|fim_prefix|>", 100258},
        {"<|fim_middle|>", 100259},
        {"<|fim_suffix|>", 100260},
        {"<|endofprompt|>", 100276}},
       {}},
      {"o200k_base", kO200kWords, {{"<|endoftext|>", 199999}, {"<|endofprompt|>", 200018}}, {}},
      {"o200k_harmony",
       kO200kWords,
       {{"<|startoftext|>", 199998},
        {"<|endoftext|>", 199999},
        {"<|return|>", 200002},
        {"<|constrain|>", 200003},
        {"<|channel|>", 200005},
        {"<|start|>", 200006},
        {"<|end|>", 200007},
        {"<|message|>", 200008},
        {"<|call|>", 200012},
        {"<|endofprompt|>", 200018}},
       {{"<|reserved_", "|>", 200000, 200000, 2},
        {"<|reserved_", "|>", 200004, 200004, 1},
        {"<|reserved_", "|>", 200009, 200009, 3},
        {"<|reserved_", "|>", 200013, 200013, 5},
        {"<|reserved_", "|>", 200019, 200019, 201088 - 200019}}},
      {"llama3",
       kLlama3Words,
       {{"<|begin_of_text|>", 128000},
        {"<|end_of_text|>", 128001},
        {"<|start_header_id|>", 128006},
        {"<|end_header_id|>", 128007},
        {"<|eot_id|>", 128009}},
       {{"<|reserved_special_token_", "|>", 0, 128002, 4},
        {"<|reserved_special_token_", "|>", 4, 128008, 1},
        {"<|reserved_special_token_", "|>", 5, 128010, 246}}},
      {"llama3.1",
       kLlama3Words,
       {{"<|begin_of_text|>", 128000},
        {"<|end_of_text|>", 128001},
        {"<|finetune_right_pad_id|>", 128004},
        {"<|start_header_id|>", 128006},
        {"<|end_header_id|>", 128007},
        {"<|eom_id|>", 128008},
        {"<|eot_id|>", 128009},
        {"<|python_tag|>", 128010}},
       {{"<|reserved_special_token_", "|>", 0, 128002, 2},
        {"<|reserved_special_token_", "|>", 2, 128005, 1},
        {"<|reserved_special_token_", "|>", 3, 128011, 245}}},
      {"qwen",
       kQwen2Words,
       {{"<|endoftext|>", 151643}, {"<|im_start|>", 151644}, {"<|im_end|>", 151645}},
       {{"<|extra_", "|>", 0, 151646, 205}}},
  };
  return kRows;
}

}  // namespace

TiktokenOptions tiktoken_options(std::string_view encoding) {
  const auto row = std::ranges::find(rows(), encoding, &Row::name);
  if (row == rows().end()) {
    std::vector<std::string_view> known;
    for (const Row& one : rows()) known.push_back(one.name);
    throw Error(ErrorCode::unsupported,
                fmt::format("encoding: expected one of {}, found {}", fmt::join(known, ", "), quote(encoding)));
  }
  TiktokenOptions options{.name = std::string(row->name), .pattern = std::string(row->pattern), .special_tokens = {}};
  for (const Special& special : row->specials) options.special_tokens.emplace_back(special.spelling, special.id);
  for (const Numbered& range : row->numbered) {
    for (int i = 0; i < range.count; ++i) {
      options.special_tokens.emplace_back(fmt::format("{}{}{}", range.before, range.first + i, range.after),
                                          range.id + i);
    }
  }
  return options;
}

}  // namespace kvzip
