#include "kvzip/cli/keep_amount.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "kvzip/base/error.h"
#include "kvzip/base/quote.h"
#include "kvzip/stages/memory.h"

namespace kvzip::cli {
namespace {

constexpr std::string_view kExpected = "expected what is kept, as a fraction (0.3), 30%, 200MiB or 1500tokens";

struct UnitName {
  std::string_view name;
  KeepAmount::Unit unit;
  double factor;
};
using Unit = KeepAmount::Unit;
constexpr std::array<UnitName, 10> kUnits = {{{"", Unit::ratio, 1},
                                              {"%", Unit::ratio, 0.01},
                                              {"KiB", Unit::bytes, 1024.0},
                                              {"MiB", Unit::bytes, 1024.0 * 1024},
                                              {"GiB", Unit::bytes, 1024.0 * 1024 * 1024},
                                              {"KB", Unit::bytes, 1e3},
                                              {"MB", Unit::bytes, 1e6},
                                              {"GB", Unit::bytes, 1e9},
                                              {"tokens", Unit::tokens, 1},
                                              {"token", Unit::tokens, 1}}};

bool same_letters(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace

KeepAmount parse_keep(std::string_view text) {
  const auto fail = [&](std::string_view what) {
    throw Error(ErrorCode::usage, fmt::format("--keep {}: {}", quote(text, 40), what));
  };
  double number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || !std::isfinite(number)) fail(kExpected);
  std::string_view unit(end, static_cast<size_t>(text.data() + text.size() - end));
  unit.remove_prefix(std::min(unit.find_first_not_of(' '), unit.size()));
  const auto* found =
      std::find_if(kUnits.begin(), kUnits.end(), [&](const UnitName& known) { return same_letters(known.name, unit); });
  if (found == kUnits.end()) fail(kExpected);
  const KeepAmount amount{found->unit, number * found->factor};
  if (amount.unit == Unit::ratio && !(amount.value > 0 && amount.value <= 1)) {
    fail("expected more than 0 and at most 1 (100%): the fraction that is kept");
  }
  if (amount.unit != Unit::ratio && !(amount.value >= 1)) fail("expected a positive amount, which is kept");
  return amount;
}

CacheBytes cache_bytes(const CacheShape& shape, size_t system_len, size_t document_len) {
  const size_t row = shape.layers() == 0 ? 0 : shape.token_bytes() / shape.layers();
  CacheBytes bytes;
  for (const size_t window : shape.windows) {
    if (window == 0) {
      bytes.fixed += row * system_len;
      bytes.document += row * document_len;
    } else {
      bytes.fixed += row * std::min(system_len + document_len, window - 1);
    }
  }
  return bytes;
}

double keep_ratio(const KeepAmount& amount, const CacheShape& shape, size_t system_len, size_t document_len) {
  if (amount.unit == Unit::ratio || amount.unit == Unit::automatic) return amount.value;
  if (amount.unit == Unit::tokens)
    return std::min(1.0, amount.value / static_cast<double>(std::max<size_t>(document_len, 1)));
  const CacheBytes bytes = cache_bytes(shape, system_len, document_len);
  const double left = amount.value - static_cast<double>(bytes.fixed);
  if (left <= 0) {
    throw Error(ErrorCode::usage,
                fmt::format("--keep {}: the system prompt{} alone, which {} never dropped, take{} {}",
                            format_bytes(static_cast<size_t>(amount.value)),
                            shape.global_layers().size() < shape.layers() ? " and the sliding layers" : "",
                            shape.global_layers().size() < shape.layers() ? "are" : "is",
                            shape.global_layers().size() < shape.layers() ? "" : "s", format_bytes(bytes.fixed)));
  }
  return std::min(1.0, left / static_cast<double>(std::max<size_t>(bytes.document, 1)));
}

}  // namespace kvzip::cli
