// UTF-8 as untrusted input: where characters end and where the bytes stop being UTF-8. Stateless.
#pragma once

#include <cstddef>
#include <string_view>

namespace kvzip {

/// U+FFFD, which stands in for bytes that are no UTF-8.
inline constexpr std::string_view kReplacementCharacter = "\uFFFD";

/// What stands at the start of some bytes.
struct Utf8Step {
  enum class Kind {
    character,  ///< one whole, valid character
    cut_off,    ///< the bytes end inside what may still become a character
    invalid,    ///< bytes that can't be part of any character
  };
  Kind kind = Kind::invalid;
  /// Bytes of the character, or of the longest start of one that was broken off (Unicode's "maximal subpart"); at
  /// least 1.
  size_t length = 1;
};

/// Looks at the first character of `text`, which must not be empty. Overlong forms, surrogates and values above
/// U+10FFFF are invalid.
Utf8Step utf8_step(std::string_view text);

/// Bytes that a character has whose first byte this is; 1 for bytes that start none. For text that is known to be
/// UTF-8.
inline size_t utf8_length_by_first_byte(char first) {
  const auto byte = static_cast<unsigned char>(first);
  if (byte < 0xC0) return 1;
  return byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

/// Bytes of the longest valid start of `text`.
size_t valid_utf8_length(std::string_view text);

}  // namespace kvzip
