// Learns a Unigram model (Kudo 2018, "Subword Regularization") from word counts: starts from frequent substrings, fits
// their probabilities by expectation maximization and drops what the corpus misses least, until the vocabulary has its
// size. Stateless; uses all threads, and the result doesn't depend on how many there are.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "kvzip/base/progress.h"
#include "kvzip/text/train/word_counts.h"

namespace kvzip {

struct UnigramTrainingOptions {
  size_t pieces = 8000;          ///< how many to learn; special tokens come on top
  size_t max_piece_length = 16;  ///< in characters, at most 255
  size_t seeds = 1'000'000;      ///< substrings to start from
  double shrinking = 0.75;       ///< what a round of dropping keeps
  size_t rounds_between = 2;     ///< of fitting, before each dropping
};

struct TrainedUnigram {
  std::vector<std::pair<std::string, double>> pieces;  ///< with log probabilities, the likeliest first
  uint64_t corpus_tokens = 0;                          ///< that the corpus is cut into
};

/// All characters of the corpus are pieces. Throws Error{usage} where they are more than `pieces`. Progress counts
/// pieces that are dropped, in the stage "fitting".
TrainedUnigram train_unigram(const WordCounts& words, const UnigramTrainingOptions& options,
                             const ProgressFn& progress);

}  // namespace kvzip
