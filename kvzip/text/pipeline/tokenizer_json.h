// Reads tokenizer.json, the file in which the package `tokenizers` describes a whole tokenizer. Its sections
// "truncation" and "padding" are ignored: they are about batches.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "kvzip/text/tokenizer.h"

namespace kvzip {

/// The tokenizer that the file at `path` describes: ids and decoded text are those of the package. Throws Error{input}
/// or Error{unsupported} that names the file and the field.
std::unique_ptr<Tokenizer> read_tokenizer_json(const std::string& path);

/// The same for a file's text; `name` stands for the file in errors.
std::unique_ptr<Tokenizer> parse_tokenizer_json(std::string_view name, std::string_view json);

}  // namespace kvzip
