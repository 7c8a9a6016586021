// The builders of all models, for the table in model.cpp.
#pragma once

#include <memory>

#include "kvzip/text/pipeline/model.h"

namespace kvzip {

std::unique_ptr<PipelineModel> make_bpe_model(const Component& component);
std::unique_ptr<PipelineModel> make_unigram_model(const Component& component);
std::unique_ptr<PipelineModel> make_word_level_model(const Component& component);
std::unique_ptr<PipelineModel> make_word_piece_model(const Component& component);

/// Byte-level BPE whose words are bytes as they are; null where the vocabulary lacks a byte or spells words in another
/// way.
std::unique_ptr<PipelineModel> make_byte_bpe_model(const Component& component);

}  // namespace kvzip
