#include "kvzip/base/quote.h"

#include <fmt/format.h>

#include <iterator>

namespace kvzip {

std::string quote(std::string_view text, size_t limit) {
  std::string out = "'";
  for (const char c : text.substr(0, limit)) {
    if (c >= ' ' && c <= '~') {
      out += c;
    } else {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  out += text.size() > limit ? "...'" : "'";
  return out;
}

}  // namespace kvzip
