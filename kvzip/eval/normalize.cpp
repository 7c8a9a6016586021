#include "kvzip/eval/normalize.h"

#include <algorithm>
#include <array>
#include <utility>

#include "kvzip/text/unicode/properties.h"
#include "kvzip/text/unicode/utf8_append.h"
#include "kvzip/text/utf8.h"

namespace kvzip {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 13> kReplacements = {{{"a", " "},
                                                                                          {"an", " "},
                                                                                          {"the", " "},
                                                                                          {"zero", "0"},
                                                                                          {"one", "1"},
                                                                                          {"two", "2"},
                                                                                          {"three", "3"},
                                                                                          {"four", "4"},
                                                                                          {"five", "5"},
                                                                                          {"six", "6"},
                                                                                          {"seven", "7"},
                                                                                          {"eight", "8"},
                                                                                          {"nine", "9"}}};

/// White_Space and the four separators of ASCII, which Python counts too.
bool is_space(uint32_t point) { return is_white_space(point) || (point >= 0x1C && point <= 0x1F); }

/// What Python's \w matches: unlike elsewhere, numbers of all kinds, but no marks.
bool is_word_character(uint32_t point) {
  return point == '_' || is_numeric(point) || (is_word(point) && !is_combining_mark(point));
}

bool is_ascii_punctuation(uint32_t point) {
  return (point >= '!' && point <= '/') || (point >= ':' && point <= '@') || (point >= '[' && point <= '`') ||
         (point >= '{' && point <= '~');
}

/// The character at the start of `text`; whatever is no UTF-8 counts as U+FFFD.
CodePoint next_point(std::string_view text) {
  const Utf8Step step = utf8_step(text);
  if (step.kind != Utf8Step::Kind::character) return {.point = 0xFFFD, .length = step.length};
  return first_point(text);
}

std::string lower_without_punctuation(std::string_view text) {
  std::string out;
  const std::string valid = lower_text(text);
  for (size_t at = 0; at < valid.size();) {
    const CodePoint next = first_point(std::string_view(valid).substr(at));
    if (!is_ascii_punctuation(next.point)) out.append(valid, at, next.length);
    at += next.length;
  }
  return out;
}

/// Appends a run of word characters, or what takes its place.
void append_word(std::string_view word, std::string& out) {
  const auto* const found =
      std::find_if(kReplacements.begin(), kReplacements.end(), [&](const auto& each) { return each.first == word; });
  out += found == kReplacements.end() ? word : found->second;
}

std::string replace_words(std::string_view text) {
  std::string out;
  size_t word_begin = 0;
  for (size_t at = 0; at < text.size();) {
    const CodePoint next = first_point(text.substr(at));
    if (!is_word_character(next.point)) {
      append_word(text.substr(word_begin, at - word_begin), out);
      out += text.substr(at, next.length);
      word_begin = at + next.length;
    }
    at += next.length;
  }
  append_word(text.substr(word_begin), out);
  return out;
}

}  // namespace

std::string normalize_answer(std::string_view text) {
  const std::string replaced = replace_words(lower_without_punctuation(text));
  std::string out;
  for (const std::string_view word : split_words(replaced)) {
    if (!out.empty()) out += ' ';
    out += word;
  }
  return out;
}

std::vector<std::string_view> split_words(std::string_view text) {
  std::vector<std::string_view> words;
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const CodePoint next = next_point(text.substr(at));
    if (is_space(next.point)) {
      if (at > begin) words.push_back(text.substr(begin, at - begin));
      begin = at + next.length;
    }
    at += next.length;
  }
  if (begin < text.size()) words.push_back(text.substr(begin));
  return words;
}

std::string_view strip_text(std::string_view text) {
  const std::vector<std::string_view> words = split_words(text);
  if (words.empty()) return {};
  const auto begin = static_cast<size_t>(words.front().data() - text.data());
  const auto end = static_cast<size_t>(words.back().data() - text.data()) + words.back().size();
  return text.substr(begin, end - begin);
}

std::string lower_text(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const CodePoint next = next_point(text.substr(at));
    append_lower_case(next.point, out);
    at += next.length;
  }
  return out;
}

std::string_view without_end_mark(std::string_view answer) {
  constexpr std::string_view kMark = "</s>";
  if (answer.ends_with(kMark)) answer.remove_suffix(kMark.size());
  return answer;
}

}  // namespace kvzip
