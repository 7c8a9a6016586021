// Training a tokenizer from texts: what to train, and the tokenizer.json that comes out. Stateless; safe from any
// number of threads.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kvzip/base/progress.h"
#include "kvzip/text/train/corpus.h"

namespace kvzip {

enum class TokenizerModel { bpe, wordpiece, unigram };

struct TokenizerTraining {
  TokenizerModel model = TokenizerModel::bpe;
  size_t vocab_size = 30000;
  uint64_t min_frequency = 2;               ///< rarer pairs aren't merged; not for unigram
  std::vector<std::string> special_tokens;  ///< get the first ids
  std::optional<size_t> limit_alphabet;     ///< not for unigram
  std::optional<size_t> max_token_length;   ///< in characters (bytes for bpe)
  std::string pattern = "gpt2";             ///< how bpe splits text into words: gpt2, llama3 or qwen2
  bool add_prefix_space = false;            ///< bpe with gpt2: a text begins with a space
  bool nfc = false;                         ///< bpe: normalize to NFC first
  bool lowercase = false;                   ///< wordpiece, unigram
};

struct TrainedTokenizer {
  std::string json;  ///< a tokenizer.json, as the PyPI package `tokenizers` reads it
  size_t vocab_size = 0;
  size_t merges = 0;  ///< of bpe
  uint64_t bytes = 0;
  uint64_t words = 0;
  size_t distinct_words = 0;
  uint64_t tokens = 0;  ///< that the corpus is cut into
};

/// Throws Error{usage} that names the option that can't be used, before any work.
void check_training(const TokenizerTraining& training);

/// Trains on all of `texts`. The result depends on neither threads nor the order of lines. Throws Error{input} where
/// there is no text or it is no UTF-8, Error{usage} where the vocabulary doesn't even hold the characters. Stages of
/// progress: "counting" (bytes), "merging" (tokens).
TrainedTokenizer train_tokenizer(std::span<const TrainingText> texts, const TokenizerTraining& training,
                                 const ProgressFn& progress);

}  // namespace kvzip
