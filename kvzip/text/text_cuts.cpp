#include "kvzip/text/text_cuts.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace kvzip {

namespace {

/// Whether a space of Unicode stands at the start of `text`; also true for some characters that are none.
bool may_be_space(std::string_view text) {
  constexpr std::array<std::string_view, 6> kSpaces = {"\xC2\x85", "\xC2\xA0", "\xE1\x9A\x80",
                                                       "\xE2\x80", "\xE2\x81", "\xE3\x80\x80"};
  const auto first = static_cast<uint8_t>(text[0]);
  if (first < 0x80) return first <= ' ';
  return std::ranges::any_of(kSpaces, [&](std::string_view space) { return text.starts_with(space); });
}

size_t previous_character(std::string_view text, size_t end) {
  size_t begin = end - 1;
  while (begin > 0 && end - begin < 4 && (static_cast<uint8_t>(text[begin]) & 0xC0U) == 0x80) --begin;
  return begin;
}

bool is_letter(char byte) {
  const auto lower = static_cast<uint8_t>(byte) | 0x20U;
  return lower >= 'a' && lower <= 'z';
}

bool ends_before_space(std::string_view text, size_t at) { return text[at] == ' ' && is_letter(text[at - 1]); }

bool ends_line(std::string_view text, size_t at) {
  if (at < 2 || text[at - 1] != '\n') return false;
  if (may_be_space(text.substr(at)) || text[at] == '/') return false;  // some patterns join slashes to line feeds
  return !may_be_space(text.substr(previous_character(text, at - 1)));
}

}  // namespace

size_t find_word_cut(std::string_view text, size_t from) {
  for (size_t at = std::max<size_t>(from, 1); at < text.size(); ++at) {
    if (ends_before_space(text, at) || ends_line(text, at)) return at;
  }
  return text.size();
}

size_t find_space_cut(std::string_view text, size_t from) {
  for (size_t at = std::max<size_t>(from, 1); at < text.size(); ++at) {
    if (ends_before_space(text, at)) return at;
  }
  return text.size();
}

size_t find_cut(std::string_view text, size_t from, TextCuts cuts) {
  if (cuts == TextCuts::none) return text.size();
  return cuts == TextCuts::at_words ? find_word_cut(text, from) : find_space_cut(text, from);
}

size_t encode_part_bytes(size_t text_bytes) {
  constexpr size_t kLeast = size_t{1} << 20U;
  return thread_count() == 1 ? text_bytes : std::max(kLeast, text_bytes / (4 * thread_count()));
}

}  // namespace kvzip
