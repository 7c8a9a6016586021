// Random input for the tests of this folder, the same on every run. A Random belongs to one test.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include "kvzip/text/unicode/utf8_append.h"

namespace kvzip {

class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}

  /// 0 to below - 1.
  size_t number(size_t below) { return engine_() % below; }

  std::string bytes(size_t count) {
    std::string out;
    while (out.size() < count) out += static_cast<char>(number(256));
    return out;
  }

  /// `count` characters out of `alphabet` (of single bytes).
  std::string of(std::string_view alphabet, size_t count) {
    std::string out;
    while (out.size() < count) out += alphabet[number(alphabet.size())];
    return out;
  }

  /// `count` characters of one to four bytes each, as UTF-8.
  std::string utf8(size_t count) {
    std::string out;
    for (size_t i = 0; i < count; ++i) {
      static constexpr uint32_t kFirst[] = {0x00, 0x80, 0x800, 0x10000};
      static constexpr uint32_t kEnd[] = {0x80, 0x800, 0x10000, 0x110000};
      const size_t kind = number(4);
      auto point = static_cast<uint32_t>(kFirst[kind] + number(kEnd[kind] - kFirst[kind]));
      if (point >= 0xD800 && point < 0xE000) point = 0x2581;  // no character; a space as SentencePiece spells it
      append_utf8(point, out);
    }
    return out;
  }

 private:
  std::mt19937 engine_;
};

}  // namespace kvzip
