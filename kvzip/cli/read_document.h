// Text files and standard input, read whole and bounded. Stateless.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace kvzip::cli {

/// More than any model's context holds.
inline constexpr size_t kLargestDocument = size_t{256} << 20U;

/// The bytes of the file at `path`, "-" being standard input. Throws Error{input} naming the file where it is missing,
/// a folder, unreadable or larger than `limit`, Error{cancelled} at Ctrl-C.
std::string read_document(const std::string& path, size_t limit = kLargestDocument);
/// Lines of a file that aren't blank, without the spaces around them.
std::vector<std::string> read_lines(const std::string& path);
/// How errors and titles name `path`.
std::string document_name(const std::string& path);
/// Throws Error{input} where a file at `path` could not be made: said before the work starts, not after it.
void require_writable(const std::string& path);

}  // namespace kvzip::cli
