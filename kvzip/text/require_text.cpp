#include "kvzip/text/require_text.h"

#include <fmt/format.h>

#include <string>

#include "kvzip/base/error.h"
#include "kvzip/text/unicode/segmentation.h"

namespace kvzip {

void require_text(std::string_view name, std::string_view text) {
  const auto refuse = [&](const std::string& found) {
    throw Error(ErrorCode::input, fmt::format("{}: expected text, found {}", name, found));
  };
  if (const size_t zero = text.find('\0'); zero != std::string_view::npos)
    refuse(fmt::format("a binary file (a zero byte at offset {})", zero));
  if (is_blank(text)) refuse("none");
}

}  // namespace kvzip
