// Text of unknown origin (documents, answers, file names) made fit for a terminal: safe, measured and wrapped.
// Stateless.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace kvzip::cli {

/// Control characters other than newline and tab taken out, so that an answer can't move the cursor or recolour the
/// terminal.
std::string printable(std::string_view text);
/// The same on one line: newlines and tabs become spaces.
std::string one_line(std::string_view text);
/// Columns that UTF-8 `text` takes: wide East Asian characters and emoji count 2, combining marks 0.
size_t display_width(std::string_view text);
/// Lines of at most `width` columns, broken at spaces where there are any; existing newlines stay. Never empty.
std::vector<std::string> wrap(std::string_view text, size_t width);
/// `text`, or as much of it as fits with an ellipsis.
std::string shortened(std::string_view text, size_t width);

}  // namespace kvzip::cli
