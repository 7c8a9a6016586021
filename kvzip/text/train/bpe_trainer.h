// Learns the merges of byte pair encoding from word counts: identical to the PyPI package `tokenizers` (0.23) on the
// same words and options, whatever the number of threads. Stateless; safe from any number of threads.
#pragma once

#include <utility>
#include <vector>

#include "kvzip/base/progress.h"
#include "kvzip/text/train/bpe_alphabet.h"

namespace kvzip {

struct TrainedBpe {
  std::vector<std::string> tokens;                  ///< by id: special tokens, characters, then what merges make
  std::vector<std::pair<TokenId, TokenId>> merges;  ///< best first
  uint64_t corpus_tokens = 0;                       ///< that the corpus is cut into in the end
};

/// Merges the most frequent pair of neighbours until the vocabulary is full or every pair is rarer than
/// `min_frequency`; of equally frequent pairs the one whose ids are lower goes first. Time is near-linear in the
/// characters of the distinct words, and so is memory (up to some 40 bytes a character), however long a word is. The
/// vocabulary is larger than asked for where the alphabet is. Progress counts tokens, in the stage "merging".
TrainedBpe train_bpe(const WordCounts& words, const BpeTrainingOptions& options, const ProgressFn& progress);

}  // namespace kvzip
