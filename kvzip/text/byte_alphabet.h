// The printable alphabet in which byte-level BPE vocabularies spell bytes: printable Latin-1 characters stand for
// themselves, the other bytes, in order, for U+0100 and up (a space is U+0120). Stateless.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kvzip {

/// How a vocabulary spells one byte: one character as UTF-8.
std::string_view byte_spelling(uint8_t byte);

/// `bytes` as a vocabulary spells them.
std::string spell_bytes(std::string_view bytes);

/// Appends the bytes that `spelling` stands for; false, with nothing appended, where a character is not of the
/// alphabet.
bool append_spelled_bytes(std::string_view spelling, std::string& out);

}  // namespace kvzip
