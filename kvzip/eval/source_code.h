// Programs, as tree-sitter's grammars take them apart. Safe from any number of threads.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace kvzip {

/// Whether this build can.
bool parses_source_code();

/// Whether there is a grammar of that name: cpp, go, java, python, rust and typescript.
bool is_code_language(std::string_view language);

/// The text of the first function in `code`, by where it begins, wherever it stands; methods count in Java, Python and
/// Rust. A view into `code`. Nothing where there is none. Like without_comments(), throws Error{unsupported} where this
/// build or machine lacks tree-sitter or the grammars.
std::optional<std::string_view> first_function(std::string_view language, std::string_view code);

/// `code` without comments and, in Python, without texts that stand as a statement in a block.
std::string without_comments(std::string_view language, std::string_view code);

}  // namespace kvzip
