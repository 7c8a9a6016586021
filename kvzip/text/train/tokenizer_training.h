// Training a tokenizer from texts: what to train, and the tokenizer.json that comes out. Stateless; safe from any
// number of threads.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kvzip/base/progress.h"
#include "kvzip/text/train/corpus.h"

namespace kvzip {

enum class TokenizerModel { bpe, wordpiece, unigram };

struct TokenizerTraining {
  TokenizerModel model = TokenizerModel::bpe;
  size_t vocab_size = 30000;                     ///< special tokens included
  uint64_t min_frequency = 2;                    ///< rarer pairs aren't merged; not for unigram
  std::vector<std::string> special_tokens = {};  ///< get the first ids
  std::optional<size_t> limit_alphabet = {};     ///< keep only the most frequent characters; not for unigram
  std::optional<size_t> max_token_length = {};   ///< tokens as long aren't made, in bytes; only for bpe
  std::string pattern = "gpt2";                  ///< how bpe cuts text into words: gpt2, llama3 or qwen2
  bool add_prefix_space = false;                 ///< bpe with gpt2: a text begins with a space
  bool nfc = false;                              ///< bpe: text is normalized to NFC
  bool lowercase = false;                        ///< wordpiece, unigram
};

/// Longer words are the unknown token to WordPiece, in characters.
inline constexpr size_t kLongestWordPieceWord = 100;

/// The token that stands for what a vocabulary can't spell; bpe can spell all bytes and has none.
std::string_view unknown_token(TokenizerModel model);
/// The special tokens with the unknown one, which comes first where it isn't among them.
std::vector<std::string> all_special_tokens(const TokenizerTraining& training);

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
/// progress: "counting" (bytes), "merging" (tokens)
/// or "fitting" (pieces).
TrainedTokenizer train_tokenizer(std::span<const TrainingText> texts, const TokenizerTraining& training,
                                 const ProgressFn& progress);

}  // namespace kvzip
