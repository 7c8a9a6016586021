// Character classes of Oniguruma, as what stands between the brackets of a class of PCRE2. Stateless.
#pragma once

#include <string>
#include <string_view>

#include "kvzip/text/regex_dialect.h"

namespace kvzip {

struct RegexClass {
  std::string body;
  bool negated = false;  ///< all characters but those of `body`
};

/// Of \p{name} and [[:name:]]: general categories by both kinds of names, POSIX classes, scripts; other names are left
/// to PCRE2.
RegexClass regex_property(std::string_view name, RegexTexts texts);

/// Of \w outside brackets and of \b: [[:word:]] and, a peculiarity, six superscripts and fractions of Latin-1.
RegexClass regex_word(RegexTexts texts);

}  // namespace kvzip
