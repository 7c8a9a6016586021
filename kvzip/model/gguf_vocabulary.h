// The tokenizer's part of a GGUF file. Stateless.
#pragma once

#include "kvzip/model/gguf.h"
#include "kvzip/text/vocabulary.h"

namespace kvzip {

/// Reads the tokenizer.ggml.* keys. Throws Error{input} naming the file and the key where one is missing, or where
/// token types or scores are not one for each token.
Vocabulary gguf_vocabulary(const Gguf& file);

}  // namespace kvzip
