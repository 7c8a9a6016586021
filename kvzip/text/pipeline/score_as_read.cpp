#include "kvzip/text/pipeline/score_as_read.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <string_view>

#include "kvzip/base/check.h"

namespace kvzip {

namespace {

/// 10^exponent, rounded once.
double power_of_ten(int exponent) {
  std::array<char, 8> text{'1', 'e'};
  const auto end = std::to_chars(text.data() + 2, text.data() + text.size(), exponent).ptr;
  double power = 0;
  std::from_chars(text.data(), end, power);
  return power;
}

}  // namespace

double score_as_read(double score) {
  if (score == 0 || !std::isfinite(score)) return score;
  std::array<char, 32> buffer{};  // 1.2345678901234567e-308
  const auto end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), std::abs(score), std::chars_format::scientific).ptr;
  const std::string_view text(buffer.data(), static_cast<size_t>(end - buffer.data()));
  const size_t mark = text.find('e');
  check(mark != std::string_view::npos, "a number in scientific notation has an exponent");
  uint64_t digits = 0;
  for (const char digit : text.substr(0, mark)) {
    if (digit != '.') digits = digits * 10 + static_cast<uint64_t>(digit - '0');
  }
  int exponent = 0;
  const char* const sign = text.data() + mark + 1;
  std::from_chars(*sign == '+' ? sign + 1 : sign, end, exponent);
  exponent -= static_cast<int>(mark) - static_cast<int>(std::min<size_t>(mark, 2));  // digits behind the point
  double read = static_cast<double>(digits);
  constexpr int kLargest = 308;
  for (; exponent < -kLargest; exponent += kLargest) read /= power_of_ten(kLargest);
  read = exponent < 0 ? read / power_of_ten(-exponent) : read * power_of_ten(exponent);
  return std::copysign(read, score);
}

}  // namespace kvzip
