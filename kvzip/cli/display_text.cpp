#include "kvzip/cli/display_text.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace kvzip::cli {
namespace {

struct Character {
  std::string_view bytes;
  char32_t code = 0;
};

/// The first character of `text`, which isn't empty. A byte that starts no valid sequence stands for itself.
Character first_character(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  const size_t len = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF8 ? 4 : 1;
  if (len == 1 || len > text.size()) return {text.substr(0, 1), lead};
  char32_t code = lead & (0x7FU >> len);
  for (size_t i = 1; i < len; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return {text.substr(0, 1), lead};
    code = code << 6U | (byte(i) & 0x3FU);
  }
  return {text.substr(0, len), code};
}

struct Range {
  char32_t first, last;
};

// The blocks that matter in practice; not the whole of Unicode's tables.
constexpr std::array<Range, 4> kNoWidth = {{{0x300, 0x36F}, {0x200B, 0x200F}, {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}}};
constexpr std::array<Range, 10> kDoubleWidth = {{{0x1100, 0x115F},
                                                 {0x2E80, 0x303E},
                                                 {0x3041, 0xA4CF},
                                                 {0xAC00, 0xD7A3},
                                                 {0xF900, 0xFAFF},
                                                 {0xFE30, 0xFE6F},
                                                 {0xFF00, 0xFF60},
                                                 {0xFFE0, 0xFFE6},
                                                 {0x1F300, 0x1FAFF},
                                                 {0x20000, 0x3FFFD}}};

template <size_t count>
bool within(const std::array<Range, count>& ranges, char32_t code) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [code](const Range& range) { return code >= range.first && code <= range.last; });
}

size_t width_of(char32_t code) { return within(kNoWidth, code) ? 0 : within(kDoubleWidth, code) ? 2 : 1; }

bool is_control_code(char32_t code) { return code < 0x20 || (code >= 0x7F && code < 0xA0); }

/// How many bytes of `text` fit into `width` columns, at least one character.
size_t bytes_that_fit(std::string_view text, size_t width) {
  size_t bytes = 0;
  size_t used = 0;
  while (bytes < text.size()) {
    const Character next = first_character(text.substr(bytes));
    used += width_of(next.code);
    if (used > width && bytes > 0) break;
    bytes += next.bytes.size();
  }
  return bytes;
}

void wrap_line(std::string_view line, size_t width, std::vector<std::string>& lines) {
  while (display_width(line) > width) {
    const size_t fits = bytes_that_fit(line, width);
    // A space right behind what fits is a good place too.
    size_t cut = line.rfind(' ', fits);
    if (cut == std::string_view::npos || cut == 0) cut = fits;
    lines.emplace_back(line.substr(0, cut));
    line.remove_prefix(std::min(line.size(), line[cut] == ' ' ? cut + 1 : cut));
  }
  lines.emplace_back(line);
}

}  // namespace

std::string printable(std::string_view text) {
  std::string clean;
  clean.reserve(text.size());
  while (!text.empty()) {
    const Character next = first_character(text);
    const bool stays = !is_control_code(next.code) || next.code == '\n' || next.code == '\t';
    if (stays) clean += next.bytes;
    text.remove_prefix(next.bytes.size());
  }
  return clean;
}

std::string one_line(std::string_view text) {
  std::string line = printable(text);
  std::replace_if(
      line.begin(), line.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
  return line;
}

size_t display_width(std::string_view text) {
  size_t width = 0;
  while (!text.empty()) {
    const Character next = first_character(text);
    width += width_of(next.code);
    text.remove_prefix(next.bytes.size());
  }
  return width;
}

std::vector<std::string> wrap(std::string_view text, size_t width) {
  std::vector<std::string> lines;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    wrap_line(text.substr(begin, end - begin), std::max<size_t>(width, 1), lines);
    begin = end + 1;
  }
  return lines;
}

std::string shortened(std::string_view text, size_t width) {
  if (display_width(text) <= width) return std::string(text);
  const size_t room = width > 0 ? width - 1 : 0;
  std::string_view part = text.substr(0, bytes_that_fit(text, room));
  if (display_width(part) > room) part = {};
  return std::string(part) + "…";
}

}  // namespace kvzip::cli
