// The tokenizer of a Hugging Face folder. Stateless.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "kvzip/text/tokenizer.h"

namespace kvzip {

/// From tokenizer.json, else tokenizer.model, else vocab.txt; null where the folder has none. Throws Error naming the
/// file that is wrong.
std::unique_ptr<Tokenizer> load_hf_tokenizer(const std::string& folder);

/// What tokenizer_config.json says of special tokens, as far as the vocabulary has them.
struct SpecialRoles {
  std::optional<TokenId> opening;  ///< begins every text
  std::optional<TokenId> end;      ///< ends it
};
SpecialRoles read_special_roles(const std::string& folder, const Tokenizer& tokenizer);

/// Throws Error{input} that names the files that were looked for in `path`.
[[noreturn]] void throw_no_tokenizer(const std::string& path);

}  // namespace kvzip
