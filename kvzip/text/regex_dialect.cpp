#include "kvzip/text/regex_dialect.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <utility>
#include <vector>

#include "kvzip/base/error.h"
#include "kvzip/base/quote.h"
#include "kvzip/text/regex_properties.h"

namespace kvzip {

namespace {

bool is_digit(char letter) { return std::isdigit(static_cast<unsigned char>(letter)) != 0; }
bool is_hex(char letter) { return std::isxdigit(static_cast<unsigned char>(letter)) != 0; }

/// A class by itself. One property needs no brackets, which PCRE2 matches faster.
std::string of_class(const RegexClass& found) {
  const bool single = found.body.starts_with("\\p{") && found.body.find('}') + 1 == found.body.size();
  if (!single) return fmt::format("[{}{}]", found.negated ? "^" : "", found.body);
  return found.negated ? "\\P" + found.body.substr(2) : found.body;
}

/// Reads a pattern from left to right and writes it anew.
class Translation {
 public:
  Translation(std::string_view pattern, std::string_view place, RegexTexts texts)
      : pattern_(pattern), place_(place), texts_(texts) {}

  std::string run() {
    while (at_ < pattern_.size()) step();
    close_options();
    return std::move(out_);
  }

 private:
  void step();
  void open_group();
  void close_group();
  void close_options();
  void interval();
  void character_class();
  void class_item(std::string& body, std::vector<std::string>& complements);
  void escape();
  std::optional<RegexClass> shorthand(bool in_class);
  RegexClass property();
  std::string other_escape();

  [[noreturn]] void refuse(std::string_view what) const {
    throw Error(ErrorCode::unsupported, fmt::format("{}: {} can't be used in a pattern, found {} at byte {}", place_,
                                                    what, quote(pattern_), at_));
  }
  char peek(size_t ahead = 0) const { return at_ + ahead < pattern_.size() ? pattern_[at_ + ahead] : '\0'; }
  bool follows(std::string_view text) const { return pattern_.substr(at_).starts_with(text); }
  void copy(size_t count) {
    out_ += pattern_.substr(at_, count);
    at_ = std::min(at_ + count, pattern_.size());
  }

  std::string_view pattern_;
  std::string_view place_;
  RegexTexts texts_;
  size_t at_ = 0;
  std::string out_;
  std::vector<size_t> open_options_ = {0};  ///< by open group: how many (?i) stand in it, which close with it
};

void Translation::step() {
  switch (peek()) {
    case '\\':
      return escape();
    case '[':
      return character_class();
    case '(':
      return open_group();
    case ')':
      return close_group();
    case '{':
      return interval();
    default:
      return copy(1);
  }
}

void Translation::close_options() {
  out_.append(open_options_.back(), ')');
  open_options_.back() = 0;
}

void Translation::close_group() {
  if (open_options_.size() > 1) {
    close_options();
    open_options_.pop_back();
  }
  copy(1);  // one too many is left for PCRE2 to refuse
}

/// (?m) is PCRE2's (?s). Options without a colon hold to the end of the group, alternatives included.
void Translation::open_group() {
  if (follows("(?#")) {
    at_ = std::min(pattern_.find(')', at_), pattern_.size() - 1) + 1;
    return;
  }
  const size_t end = pattern_.find_first_not_of("imsx-", at_ + 2);
  const bool options =
      follows("(?") && end != std::string_view::npos && end > at_ + 2 && (pattern_[end] == ':' || pattern_[end] == ')');
  if (!options) {
    open_options_.push_back(0);
    return copy(1);
  }
  std::string names(pattern_.substr(at_ + 2, end - at_ - 2));
  if (names.find_first_of("sx") != std::string::npos) refuse("the option s or x");
  std::ranges::replace(names, 'm', 's');
  out_ += "(?" + names + ":";
  if (pattern_[end] == ')') {
    ++open_options_.back();
  } else {
    open_options_.push_back(0);
  }
  at_ = end + 1;
}

/// {,n} means {0,n}. What a plus or a question mark behind {n} means differs.
void Translation::interval() {
  size_t end = at_ + 1;
  while (end < pattern_.size() && (is_digit(pattern_[end]) || pattern_[end] == ',')) ++end;
  const std::string_view inside = pattern_.substr(at_ + 1, end - at_ - 1);
  const bool is_interval = end < pattern_.size() && pattern_[end] == '}' && std::ranges::any_of(inside, is_digit);
  if (!is_interval) return copy(1);
  out_ += inside.starts_with(',') ? "{0" : "{";
  ++at_;
  copy(end - at_ + 1);
  if (peek() == '+' || (peek() == '?' && inside.find(',') == std::string_view::npos)) {
    refuse("a quantifier of a quantifier");
  }
}

/// The class that \s, \d, \w, \h and \p{...} stand for, with the way past it; nothing where none of them is next.
std::optional<RegexClass> Translation::shorthand(bool in_class) {
  const char name = peek(1);
  if (name == 'p' || name == 'P') return property();
  RegexClass found;
  switch (std::tolower(static_cast<unsigned char>(name))) {
    case 's':
      found = regex_property("space", texts_);
      break;
    case 'd':
      found = regex_property("digit", texts_);
      break;
    case 'h':
      found = regex_property("xdigit", texts_);
      break;
    case 'w':
      found = in_class ? regex_property("word", texts_) : regex_word(texts_);
      break;
    default:
      return std::nullopt;
  }
  found.negated = std::isupper(static_cast<unsigned char>(name)) != 0;
  at_ += 2;
  return found;
}

RegexClass Translation::property() {
  bool negated = peek(1) == 'P';
  size_t begin = at_ + 3;
  const size_t end = pattern_.find('}', at_);
  if (peek(2) != '{' || end == std::string_view::npos) refuse("\\p without a name in braces");
  if (pattern_[begin] == '^') {
    negated = !negated;
    ++begin;
  }
  RegexClass found = regex_property(pattern_.substr(begin, end - begin), texts_);
  at_ = end + 1;
  found.negated = found.negated != negated;
  return found;
}

void Translation::escape() {
  if (const auto found = shorthand(false)) {
    out_ += of_class(*found);
    return;
  }
  if (peek(1) == 'b' || peek(1) == 'B') {
    const std::string word = regex_word(texts_).body;
    const std::string_view form =
        peek(1) == 'b' ? "(?:(?<=[{0}])(?![{0}])|(?<![{0}])(?=[{0}]))" : "(?:(?<=[{0}])(?=[{0}])|(?<![{0}])(?![{0}]))";
    out_ += fmt::format(fmt::runtime(form), word);
    at_ += 2;
    return;
  }
  out_ += other_escape();
}

std::string Translation::other_escape() {
  const char name = peek(1);
  const size_t begin = at_;
  if (name == 'u' && std::ranges::all_of(pattern_.substr(at_ + 2, 4), is_hex) && at_ + 6 <= pattern_.size()) {
    at_ += 6;
    return fmt::format("\\x{{{}}}", pattern_.substr(begin + 2, 4));
  }
  if (name == 'x' && (peek(2) >= '8') && is_hex(peek(3)) && peek(2) != '{') refuse("single bytes above \\x7F");
  if (name == 'Q' || name == 'E' || name == 'X' || name == '\0') refuse("this escape");
  at_ += 2;
  return std::string(pattern_.substr(begin, 2));
}

/// One member of a class: appended to `body`, or, where it is all characters but some, those to `complements`.
void Translation::class_item(std::string& body, std::vector<std::string>& complements) {
  const auto add = [&](const RegexClass& found) {
    const std::string alone = of_class(found);
    if (found.negated && alone[0] == '\\') {
      body += alone;
    } else if (found.negated) {
      complements.push_back(found.body);
    } else {
      body += found.body;
    }
  };
  if (follows("[:")) {
    const size_t end = pattern_.find(":]", at_ + 2);
    if (end == std::string_view::npos) refuse("a class inside a class");
    const bool negated = peek(2) == '^';
    RegexClass found = regex_property(pattern_.substr(at_ + (negated ? 3 : 2), end - at_ - (negated ? 3 : 2)), texts_);
    found.negated = negated;
    add(found);
    at_ = end + 2;
  } else if (peek() == '[' || follows("&&")) {
    refuse("a class inside a class");
  } else if (peek() != '\\') {
    body += pattern_[at_++];
  } else if (const auto found = shorthand(true)) {
    add(*found);
  } else {
    body += other_escape();
  }
}

void Translation::character_class() {
  ++at_;
  const bool negated = peek() == '^';
  if (negated) ++at_;
  std::string body;
  std::vector<std::string> complements;
  if (peek() == ']') {
    body += "\\]";
    ++at_;
  }
  while (at_ < pattern_.size() && peek() != ']') class_item(body, complements);
  if (at_ == pattern_.size()) refuse("a class without an end");
  ++at_;
  if (complements.empty()) {
    out_ += fmt::format("[{}{}]", negated ? "^" : "", body);
    return;
  }
  std::string any = body.empty() ? "" : "[" + body + "]|";
  for (const std::string& complement : complements) any += "[^" + complement + "]|";
  any.pop_back();
  out_ += negated ? fmt::format("(?:(?!{})(?s:.))", any) : fmt::format("(?:{})", any);
}

}  // namespace

std::string pcre2_pattern(std::string_view pattern, std::string_view place, RegexTexts texts) {
  return Translation(pattern, place, texts).run();
}

}  // namespace kvzip
