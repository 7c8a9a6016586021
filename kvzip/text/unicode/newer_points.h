// The characters that Unicode 15, 15.1 and 16 added: the regular expressions of tokenizer files know them (Oniguruma
// 6.9.10 has the tables of Unicode 16), PCRE2 10.42 does not (Unicode 14). Stateless.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace kvzip {

struct NewerPoints {
  uint32_t first;
  uint32_t last;
  std::string_view category;  ///< general category: "Lo"
  std::string_view script;    ///< in lower case without separators: "gurungkhema"
  bool alphabetic = false;
};

/// In ascending order.
std::span<const NewerPoints> newer_points();

/// Whether any of them occurs in `text`, which must be valid UTF-8.
bool has_newer_points(std::string_view text);

}  // namespace kvzip
