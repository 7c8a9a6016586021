// Tokenizers from files of their own, without a model. Stateless.
#pragma once

#include <memory>
#include <string>

#include "kvzip/text/tokenizer.h"

namespace kvzip::cli {

/// The tokenizer in the file at `path`, by the end of its name: .json (tokenizer.json), .model (SentencePiece) or
/// .gguf. Throws Error{usage} for another one.
std::unique_ptr<Tokenizer> read_tokenizer(const std::string& path);

}  // namespace kvzip::cli
