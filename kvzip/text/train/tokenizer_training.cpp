#include "kvzip/text/train/tokenizer_training.h"

#include <fmt/format.h>

#include <unordered_set>

#include "kvzip/base/error.h"
#include "kvzip/base/quote.h"
#include "kvzip/text/special_tokens.h"
#include "kvzip/text/train/bpe_trainer.h"
#include "kvzip/text/train/trained_json.h"
#include "kvzip/text/train/training_rules.h"
#include "kvzip/text/utf8.h"

namespace kvzip {
namespace {

[[noreturn]] void refuse(const std::string& why) { throw Error(ErrorCode::usage, why); }

void check_special_tokens(const std::vector<std::string>& tokens) {
  std::unordered_set<std::string_view> seen;
  for (const std::string& token : tokens) {
    if (token.empty()) refuse("--special: expected a token, found an empty one");
    if (token.size() > SpecialTokens::kLongest)
      refuse(fmt::format("--special: expected at most {} bytes, found {}", SpecialTokens::kLongest, token.size()));
    if (valid_utf8_length(token) < token.size())
      refuse(fmt::format("--special: expected UTF-8 text, found {}", quote(token)));
    if (!seen.insert(token).second) refuse(fmt::format("--special: {} is given twice", quote(token)));
  }
}

constexpr size_t kBytes = 256;
constexpr size_t kMostTokens = size_t{1} << 30U;  // ids have 31 bits

BpeTrainingOptions bpe_options(const TokenizerTraining& training) {
  return {.vocab_size = training.vocab_size,
          .min_frequency = training.min_frequency,
          .special_tokens = training.special_tokens,
          .limit_alphabet = training.limit_alphabet,
          .initial_alphabet = byte_level_alphabet(),
          .max_token_length = training.max_token_length,
          .byte_level = true};
}

}  // namespace

void check_training(const TokenizerTraining& training) {
  check_special_tokens(training.special_tokens);
  bpe_rules(training.pattern);
  if (training.add_prefix_space && training.pattern != "gpt2") refuse("--add-prefix-space: only for --pattern gpt2");
  const size_t least = training.special_tokens.size() + std::min(training.limit_alphabet.value_or(kBytes), kBytes);
  if (training.vocab_size < least || training.vocab_size > kMostTokens) {
    refuse(fmt::format("--vocab-size: expected {} (256 bytes and {} special tokens) to {}, found {}", least,
                       training.special_tokens.size(), kMostTokens, training.vocab_size));
  }
}

TrainedTokenizer train_tokenizer(std::span<const TrainingText> texts, const TokenizerTraining& training,
                                 const ProgressFn& progress) {
  check_training(training);
  const WordCounts words = count_words(texts, training_splitter(training), progress);
  if (words.size() == 0) throw Error(ErrorCode::input, "expected some text to train on, found none");
  const TrainedBpe trained = train_bpe(words, bpe_options(training), progress);
  TrainedTokenizer result{.json = bpe_json(trained, training),
                          .vocab_size = trained.tokens.size(),
                          .merges = trained.merges.size(),
                          .words = words.total(),
                          .distinct_words = words.size(),
                          .tokens = trained.corpus_tokens};
  for (const TrainingText& each : texts) result.bytes += each.text.size();
  return result;
}

}  // namespace kvzip
