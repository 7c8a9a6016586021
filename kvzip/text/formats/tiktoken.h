// .tiktoken files: a line "base64 rank" for every token. How text is cut into words and which tokens are special is not
// in the file; it is known for the encodings below, or given. The tokenizer is immutable; safe from any number of
// threads.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kvzip/text/tokenizer.h"

namespace kvzip {

/// How one family of .tiktoken files is meant.
struct TiktokenOptions {
  std::string name;     ///< for people
  std::string pattern;  ///< the regular expression whose matches are the words
  /// Spelling and id. An id may lie behind the ranks, or fill a gap in them.
  std::vector<std::pair<std::string, TokenId>> special_tokens;
};

/// What is known by name: gpt2, r50k_base, p50k_base, p50k_edit, cl100k_base, o200k_base, o200k_harmony, llama3,
/// llama3.1 and qwen. Throws Error{unsupported} that lists them where `encoding` is none of them.
TiktokenOptions tiktoken_options(std::string_view encoding);

/// Encodes and decodes as the library `tiktoken` does: parts of a word merge by the rank of what they become. Special
/// tokens that are spelled out are found (its allowed_special="all"); bytes that are no UTF-8 are words of their own, a
/// word for each run of them (its _encode_single_piece). A text that the pattern leaves out is left out, as there.
/// Throws Error{input} or Error{unsupported} that names the file, the line and what is wrong: no Base64, a rank or
/// token that is there twice, a missing rank or byte, a special token where a rank is.
std::unique_ptr<Tokenizer> read_tiktoken(const std::string& path, const TiktokenOptions& options);

/// The same for a file's bytes; `name` stands for the file in errors.
std::unique_ptr<Tokenizer> parse_tiktoken(std::string_view name, std::string_view bytes,
                                          const TiktokenOptions& options);

}  // namespace kvzip
