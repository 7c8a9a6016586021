// The builders of all pre-tokenizers, for the table in pre_tokenizer.cpp.
#pragma once

#include <memory>

#include "kvzip/text/pipeline/pre_tokenizer.h"

namespace kvzip {

std::unique_ptr<PreTokenizerStep> make_bert_step(const Component& component);
std::unique_ptr<PreTokenizerStep> make_byte_level_step(const Component& component);
std::unique_ptr<PreTokenizerStep> make_delimiter_step(const Component& component);
std::unique_ptr<PreTokenizerStep> make_digits_step(const Component& component);
std::unique_ptr<PreTokenizerStep> make_fixed_length_step(const Component& component);
std::unique_ptr<PreTokenizerStep> make_metaspace_step(const Component& component);
std::unique_ptr<PreTokenizerStep> make_punctuation_step(const Component& component);
std::unique_ptr<PreTokenizerStep> make_split_step(const Component& component);
std::unique_ptr<PreTokenizerStep> make_unicode_scripts_step(const Component& component);
std::unique_ptr<PreTokenizerStep> make_whitespace_split_step(const Component& component);
std::unique_ptr<PreTokenizerStep> make_whitespace_step(const Component& component);

}  // namespace kvzip
