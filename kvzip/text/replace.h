// Plain replacement in text, and the character that SentencePiece writes for a space. Stateless.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace kvzip {

inline constexpr std::string_view kSpelledSpace = "\u2581";

/// Appends `text` to `out` with each `from`, which is not empty, replaced.
inline void append_replaced(std::string_view text, std::string_view from, std::string_view to, std::string& out) {
  for (size_t at = 0; at < text.size();) {
    const size_t hit = std::min(text.find(from, at), text.size());
    out += text.substr(at, hit - at);
    if (hit < text.size()) out += to;
    at = hit + from.size();
  }
}

}  // namespace kvzip
