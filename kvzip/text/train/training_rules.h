// How texts become words for training. Stateless; safe from any number of threads.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "kvzip/text/train/corpus.h"
#include "kvzip/text/train/tokenizer_training.h"

namespace kvzip {

/// The rules of pre_tokenizers.h behind --pattern; throws Error{usage} that lists the known names.
std::string_view bpe_rules(std::string_view pattern);

/// The sections "normalizer" and "pre_tokenizer" of the tokenizer.json.
nlohmann::ordered_json normalizer_json(const TokenizerTraining& training);
nlohmann::ordered_json pre_tokenizer_json(const TokenizerTraining& training);

/// Cuts lines into words as the trained tokenizer will.
WordSplitter training_splitter(const TokenizerTraining& training);

}  // namespace kvzip
