// Numbers out of text of unknown origin. Stateless; safe from any number of threads.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>

namespace kvzip {

/// The number that all of `text` is, without spaces or a plus sign; none where it is anything else or too large.
template <class Number, class... Base>
std::optional<Number> parse_number(std::string_view text, Base... base) {
  Number number{};
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number, base...);
  return failure == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

}  // namespace kvzip
