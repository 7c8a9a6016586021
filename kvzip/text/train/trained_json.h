// The tokenizer.json of a trained vocabulary. Stateless; safe from any number of threads.
#pragma once

#include <string>

#include "kvzip/text/train/bpe_trainer.h"
#include "kvzip/text/train/tokenizer_training.h"

namespace kvzip {

std::string bpe_json(const TrainedBpe& trained, const TokenizerTraining& training);

}  // namespace kvzip
