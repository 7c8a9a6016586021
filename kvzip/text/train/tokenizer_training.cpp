#include "kvzip/text/train/tokenizer_training.h"

#include <fmt/format.h>

#include <algorithm>
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

void check_bpe(const TokenizerTraining& training) {
  bpe_rules(training.pattern);
  if (training.lowercase) refuse("--lowercase: only for --model wordpiece and unigram");
  if (training.add_prefix_space && training.pattern != "gpt2") refuse("--add-prefix-space: only for --pattern gpt2");
  const size_t least = training.special_tokens.size() + std::min(training.limit_alphabet.value_or(kBytes), kBytes);
  if (training.vocab_size < least) {
    refuse(fmt::format("--vocab-size: expected at least {} (256 bytes and {} special tokens), found {}", least,
                       training.special_tokens.size(), training.vocab_size));
  }
}

void check_other_models(const TokenizerTraining& training) {
  if (training.pattern != "gpt2") refuse("--pattern: only for --model bpe");
  if (training.add_prefix_space) refuse("--add-prefix-space: only for --model bpe");
  if (training.nfc) refuse("--nfc: only for --model bpe");
  if (training.max_token_length) refuse("--max-token-length: only for --model bpe");
  if (training.limit_alphabet && training.model == TokenizerModel::unigram)
    refuse("--limit-alphabet: only for --model bpe and wordpiece");
}

TrainedTokenizer bpe_tokenizer(const WordCounts& words, const TokenizerTraining& training, const ProgressFn& progress) {
  const TrainedBpe trained = train_bpe(words,
                                       {.vocab_size = training.vocab_size,
                                        .min_frequency = training.min_frequency,
                                        .special_tokens = training.special_tokens,
                                        .limit_alphabet = training.limit_alphabet,
                                        .initial_alphabet = byte_level_alphabet(),
                                        .max_token_length = training.max_token_length,
                                        .byte_level = true},
                                       progress);
  return {.json = bpe_json(trained, training),
          .vocab_size = trained.tokens.size(),
          .merges = trained.merges.size(),
          .tokens = trained.corpus_tokens};
}

/// Tokens of one word, as WordPiece cuts it: always the longest token that fits; one where it finds none.
uint64_t tokens_of_word(std::string_view word, const std::unordered_set<std::string_view>& vocabulary) {
  std::vector<size_t> ends;
  for (size_t at = 0; at < word.size() && ends.size() <= kLongestWordPieceWord;) {
    at += utf8_step(word.substr(at)).length;
    ends.push_back(at);
  }
  if (ends.size() > kLongestWordPieceWord) return 1;
  uint64_t tokens = 0;
  std::string piece;
  for (size_t begin = 0; begin < word.size(); ++tokens) {
    auto end = ends.rbegin();
    for (; end != ends.rend() && *end > begin; ++end) {
      piece = begin == 0 ? "" : "##";
      piece += word.substr(begin, *end - begin);
      if (vocabulary.contains(piece)) break;
    }
    if (end == ends.rend() || *end <= begin) return 1;
    begin = *end;
  }
  return tokens;
}

TrainedTokenizer wordpiece_tokenizer(const WordCounts& words, const TokenizerTraining& training,
                                     const ProgressFn& progress) {
  const TrainedBpe trained = train_bpe(words,
                                       {.vocab_size = training.vocab_size,
                                        .min_frequency = training.min_frequency,
                                        .special_tokens = all_special_tokens(training),
                                        .limit_alphabet = training.limit_alphabet,
                                        .continuing_subword_prefix = "##"},
                                       progress);
  if (trained.tokens.size() > training.vocab_size) {
    refuse(
        fmt::format("--vocab-size: expected at least {} (special tokens and the characters of the corpus, at the "
                    "beginning and inside of words), found {}; --limit-alphabet leaves rare characters out",
                    trained.tokens.size(), training.vocab_size));
  }
  const std::unordered_set<std::string_view> vocabulary(trained.tokens.begin(), trained.tokens.end());
  TrainedTokenizer result{.json = wordpiece_json(trained.tokens, training), .vocab_size = trained.tokens.size()};
  for (size_t i = 0; i < words.size(); ++i) result.tokens += words[i].count * tokens_of_word(words[i].text, vocabulary);
  return result;
}

TrainedTokenizer unigram_tokenizer(const WordCounts& words, const TokenizerTraining& training,
                                   const ProgressFn& progress) {
  const size_t specials = all_special_tokens(training).size();
  const size_t pieces = training.vocab_size > specials ? training.vocab_size - specials : 0;
  const TrainedUnigram trained = train_unigram(words, {.pieces = pieces}, progress);
  return {.json = unigram_json(trained, training),
          .vocab_size = trained.pieces.size() + specials,
          .tokens = trained.corpus_tokens};
}

}  // namespace

std::string_view unknown_token(TokenizerModel model) {
  return model == TokenizerModel::bpe ? "" : model == TokenizerModel::wordpiece ? "[UNK]" : "<unk>";
}

std::vector<std::string> all_special_tokens(const TokenizerTraining& training) {
  std::vector<std::string> tokens = training.special_tokens;
  const std::string unknown(unknown_token(training.model));
  if (!unknown.empty() && std::find(tokens.begin(), tokens.end(), unknown) == tokens.end())
    tokens.insert(tokens.begin(), unknown);
  return tokens;
}

void check_training(const TokenizerTraining& training) {
  check_special_tokens(training.special_tokens);
  if (training.vocab_size > kMostTokens)
    refuse(fmt::format("--vocab-size: expected at most {}, found {}", kMostTokens, training.vocab_size));
  training.model == TokenizerModel::bpe ? check_bpe(training) : check_other_models(training);
}

TrainedTokenizer train_tokenizer(std::span<const TrainingText> texts, const TokenizerTraining& training,
                                 const ProgressFn& progress) {
  check_training(training);
  const WordCounts words = count_words(texts, training_splitter(training), progress);
  if (words.size() == 0) throw Error(ErrorCode::input, "expected some text to train on, found none");
  TrainedTokenizer result = training.model == TokenizerModel::bpe ? bpe_tokenizer(words, training, progress)
                            : training.model == TokenizerModel::wordpiece
                                ? wordpiece_tokenizer(words, training, progress)
                                : unigram_tokenizer(words, training, progress);
  result.words = words.total();
  result.distinct_words = words.size();
  for (const TrainingText& each : texts) result.bytes += each.text.size();
  return result;
}

}  // namespace kvzip
