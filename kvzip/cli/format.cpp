#include "kvzip/cli/format.h"

#include <fmt/format.h>

#include <cmath>

namespace kvzip::cli {

std::string grouped(size_t number) {
  std::string digits = std::to_string(number);
  for (size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

std::string counted(size_t number, const std::string& unit) {
  return fmt::format("{} {}{}", grouped(number), unit, number == 1 ? "" : "s");
}

std::string format_seconds(double seconds) {
  if (seconds < 0.001) return fmt::format("{:.0f} µs", seconds * 1e6);
  if (seconds < 1) return fmt::format("{:.0f} ms", seconds * 1e3);
  if (seconds < 60) return fmt::format("{:.2f} s", seconds);
  const auto whole = static_cast<size_t>(std::lround(seconds));
  return fmt::format("{} min {} s", whole / 60, whole % 60);
}

std::string format_rate(double per_second) {
  if (per_second >= 1000) return grouped(static_cast<size_t>(std::lround(per_second))) + "/s";
  return fmt::format("{:.1f}/s", per_second);
}

std::string format_percent(double fraction) {
  const double percent = fraction * 100;
  if (std::abs(percent - std::round(percent)) < 0.05) return fmt::format("{:.0f} %", percent);
  return fmt::format("{:.1f} %", percent);
}

}  // namespace kvzip::cli
