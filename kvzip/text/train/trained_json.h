// The tokenizer.json of a trained vocabulary. Stateless; safe from any number of threads.
#pragma once

#include <string>

#include "kvzip/text/train/bpe_trainer.h"
#include "kvzip/text/train/tokenizer_training.h"
#include "kvzip/text/train/unigram_trainer.h"

namespace kvzip {

std::string bpe_json(const TrainedBpe& trained, const TokenizerTraining& training);
std::string wordpiece_json(const std::vector<std::string>& tokens, const TokenizerTraining& training);
std::string unigram_json(const TrainedUnigram& trained, const TokenizerTraining& training);

}  // namespace kvzip
