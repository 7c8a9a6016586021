// What we know about the terminal, and colours for it. Colours are used only on a terminal and without NO_COLOR.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace kvzip::cli {

bool is_terminal(std::FILE* stream);
/// Columns of the terminal behind `stream`; $COLUMNS or 80 where there is none. Between 40 and 160.
size_t terminal_width(std::FILE* stream);
/// Whether to write colours to `stream`.
bool wants_colours(std::FILE* stream);

enum class Style : uint8_t { plain, bold, dim, good, bad, heading };

/// `text` in that style, or as it is without `colours`.
std::string styled(std::string_view text, Style style, bool colours);
/// `text` on one of the 256 background colours, with a foreground that can be read on it.
std::string on_background(std::string_view text, int background, bool dark_text);
/// Backgrounds that take turns, so that the borders between tokens show.
inline constexpr std::array<int, 4> kQuietBackgrounds = {24, 58, 53, 22};

}  // namespace kvzip::cli
