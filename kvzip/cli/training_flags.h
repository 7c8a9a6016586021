// The options of training a tokenizer, and its progress.
#pragma once

#include <string>

#include "kvzip/cli/engine.h"
#include "kvzip/text/train/tokenizer_training.h"

namespace kvzip::cli {

struct TrainingFlags {
  std::string model = "bpe";
  TokenizerTraining options;
  size_t limit_alphabet = 0;    ///< 0 = no limit
  size_t max_token_length = 0;  ///< 0 = no limit

  TokenizerTraining parsed() const;
};
void add_training_options(CLI::App& command, TrainingFlags& flags);

/// Shows each stage of a training on `bar`, which must outlive it; stops at Ctrl-C.
ProgressFn training_progress(ProgressBar& bar);

}  // namespace kvzip::cli
