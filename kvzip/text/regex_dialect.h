// Translates regular expressions from Oniguruma's dialect of Ruby, which tokenizer files are written in, to PCRE2's.
// Stateless.
#pragma once

#include <string>
#include <string_view>

namespace kvzip {

/// Of which texts the translation must be right.
enum class RegexTexts {
  most,  ///< those without characters that are newer than PCRE2's tables: the short, fast translation
  all,   ///< character classes name the newer characters
};

/// The same pattern for PCRE2 with Unicode properties, multiple lines and newlines of one LF. Throws Error{unsupported}
/// that begins with `place` for what PCRE2 has no words for, or means something else by. What is left of differences:
/// where case is ignored one character never matches two (sharp s and ss), and in lookbehind the alternatives are of
/// fixed lengths.
std::string pcre2_pattern(std::string_view pattern, std::string_view place, RegexTexts texts);

}  // namespace kvzip
