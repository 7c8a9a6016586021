#include "kvzip/text/byte_alphabet.h"

#include <array>

namespace kvzip {

namespace {

constexpr uint32_t kAlphabetEnd = 0x100 + 68;  // 68 bytes are not printable

constexpr bool stands_for_itself(uint32_t byte) {
  return (byte > 0x20 && byte < 0x7F) || (byte > 0xA0 && byte != 0xAD);  // 0xAD: the soft hyphen, invisible
}

struct Alphabet {
  std::array<std::array<char, 2>, 256> utf8{};
  std::array<uint8_t, 256> length{};
  std::array<int16_t, kAlphabetEnd> byte_of{};  ///< by code point; -1: no byte
};

constexpr Alphabet make_alphabet() {
  Alphabet alphabet;
  alphabet.byte_of.fill(-1);
  uint32_t next = 0x100;
  for (uint32_t byte = 0; byte < 256; ++byte) {
    const uint32_t point = stands_for_itself(byte) ? byte : next++;
    alphabet.byte_of[point] = static_cast<int16_t>(byte);
    if (point < 0x80) {
      alphabet.utf8[byte] = {static_cast<char>(point), '\0'};
      alphabet.length[byte] = 1;
    } else {
      alphabet.utf8[byte] = {static_cast<char>(0xC0 | (point >> 6)), static_cast<char>(0x80 | (point & 0x3F))};
      alphabet.length[byte] = 2;
    }
  }
  return alphabet;
}

constexpr Alphabet kAlphabet = make_alphabet();

}  // namespace

std::string_view byte_spelling(uint8_t byte) { return {kAlphabet.utf8[byte].data(), kAlphabet.length[byte]}; }

std::string spell_bytes(std::string_view bytes) {
  std::string spelling;
  spelling.reserve(bytes.size() * 2);
  for (const char byte : bytes) spelling += byte_spelling(static_cast<uint8_t>(byte));
  return spelling;
}

bool append_spelled_bytes(std::string_view spelling, std::string& out) {
  const size_t before = out.size();
  for (size_t i = 0; i < spelling.size();) {
    // No character of the alphabet has more than two bytes.
    const auto first = static_cast<uint8_t>(spelling[i]);
    const bool two = (first & 0xE0) == 0xC0 && i + 1 < spelling.size();
    const uint32_t point = two ? ((first & 0x1FU) << 6) | (static_cast<uint8_t>(spelling[i + 1]) & 0x3FU) : first;
    if ((first >= 0x80 && !two) || point >= kAlphabetEnd || kAlphabet.byte_of[point] < 0) {
      out.resize(before);
      return false;
    }
    out += static_cast<char>(kAlphabet.byte_of[point]);
    i += two ? 2 : 1;
  }
  return true;
}

}  // namespace kvzip
