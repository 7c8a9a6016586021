// Code points to UTF-8 and back, of text that is known to be valid. Stateless.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace kvzip {

inline void append_utf8(uint32_t point, std::string& out) {
  const auto tail = [&](uint32_t shift) { out += static_cast<char>(0x80U | ((point >> shift) & 0x3FU)); };
  if (point < 0x80) {
    out += static_cast<char>(point);
  } else if (point < 0x800) {
    out += static_cast<char>(0xC0U | (point >> 6U));
    tail(0);
  } else if (point < 0x10000) {
    out += static_cast<char>(0xE0U | (point >> 12U));
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xF0U | (point >> 18U));
    tail(12);
    tail(6);
    tail(0);
  }
}

struct CodePoint {
  uint32_t point;
  size_t length;  ///< bytes
};

/// The character at the start of `text`, which is valid UTF-8 and not empty.
inline CodePoint first_point(std::string_view text) {
  const auto byte = [&](size_t at) { return static_cast<uint32_t>(static_cast<unsigned char>(text[at])); };
  const auto tail = [&](size_t at) { return byte(at) & 0x3FU; };
  if (byte(0) < 0x80) return {.point = byte(0), .length = 1};
  if (byte(0) < 0xE0) return {.point = ((byte(0) & 0x1FU) << 6U) | tail(1), .length = 2};
  if (byte(0) < 0xF0) return {.point = ((byte(0) & 0x0FU) << 12U) | (tail(1) << 6U) | tail(2), .length = 3};
  return {.point = ((byte(0) & 0x07U) << 18U) | (tail(1) << 12U) | (tail(2) << 6U) | tail(3), .length = 4};
}

/// Where the last character of `text`, which is valid UTF-8 and not empty, begins.
inline size_t last_point_begin(std::string_view text) {
  size_t at = text.size() - 1;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U) --at;
  return at;
}

}  // namespace kvzip
