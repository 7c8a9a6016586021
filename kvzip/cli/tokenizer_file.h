// Tokenizers from files of their own, without a model. Stateless.
#pragma once

#include <memory>
#include <string>

#include "kvzip/text/tokenizer.h"

namespace kvzip::cli {

/// The tokenizer in the file at `path`, by the end of its name: .json (tokenizer.json), .model (SentencePiece),
/// .tiktoken or .gguf. `encoding` says what a .tiktoken file is (cl100k_base); empty: its name does. Throws
/// Error{usage} for another kind of file, or an encoding for one that isn't .tiktoken.
std::unique_ptr<Tokenizer> read_tokenizer(const std::string& path, const std::string& encoding);

}  // namespace kvzip::cli
