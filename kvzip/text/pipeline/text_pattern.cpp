#include "kvzip/text/pipeline/text_pattern.h"

#include <fmt/format.h>

#include "kvzip/text/split_patterns.h"

namespace kvzip {

namespace {

constexpr size_t kLongestString =
    1024;  // of a text in which it nearly occurs everywhere, each byte costs so many steps

}  // namespace

TextPattern::TextPattern(const Component& component) {
  const Component pattern = component.object("pattern");
  if (const auto regex = pattern.find_text("Regex")) {
    regex_.emplace(*regex, pattern.place("Regex"));
    ends_words_at_cuts_ = kvzip::ends_words_at_cuts(*regex);
    return;
  }
  if (pattern.find("String") == nullptr) component.fail("pattern", "String or Regex", ErrorCode::unsupported);
  string_ = pattern.text("String");
  if (string_.size() > kLongestString) {
    pattern.fail("String", fmt::format("at most {} bytes", kLongestString), ErrorCode::unsupported);
  }
  if (string_.empty()) regex_.emplace("");  // matches between all characters
}

}  // namespace kvzip
