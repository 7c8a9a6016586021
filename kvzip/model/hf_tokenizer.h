// The tokenizer of a Hugging Face folder. Stateless.
#pragma once

#include <memory>
#include <string>

#include "kvzip/text/tokenizer.h"

namespace kvzip {

/// Null where the folder has no tokenizer file that can be loaded. Throws Error naming the file that is wrong.
std::unique_ptr<Tokenizer> load_hf_tokenizer(const std::string& folder);

/// Throws Error{input} that names the files that were looked for in `path`.
[[noreturn]] void throw_no_tokenizer(const std::string& path);

}  // namespace kvzip
