#include "kvzip/model/gguf_values.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <string>
#include <type_traits>
#include <utility>

#include "kvzip/base/quote.h"
#include "kvzip/model/gguf_reader.h"

namespace kvzip {
namespace {

struct TypeInfo {
  std::string_view name;
  size_t bytes;
};

constexpr std::array<TypeInfo, kGgufTypeCount> kTypes = {{{"uint8", 1},
                                                          {"int8", 1},
                                                          {"uint16", 2},
                                                          {"int16", 2},
                                                          {"uint32", 4},
                                                          {"int32", 4},
                                                          {"float32", 4},
                                                          {"bool", 1},
                                                          {"string", 0},
                                                          {"array", 0},
                                                          {"uint64", 8},
                                                          {"int64", 8},
                                                          {"float64", 8}}};

const TypeInfo& info(GgufType type) { return kTypes.at(static_cast<size_t>(type)); }

[[noreturn]] void fail(std::string_view file, const GgufValue& value, std::string_view expected,
                       std::string_view found) {
  fail_field(file, quote(value.key), expected, found);
}

[[noreturn]] void fail_type(std::string_view file, const GgufValue& value, std::string_view expected) {
  const std::string_view name = info(value.type).name;
  fail(file, value, expected, value.is_array ? fmt::format("an array of {} {}", value.count, name) : std::string(name));
}

/// Calls visit(number) for each element, in the type that the file has.
template <class Number, class Visit>
bool visit_as(const GgufValue& value, const Visit& visit) {
  for (size_t i = 0; i < value.count; ++i) visit(load_number<Number>(value.data.data() + i * sizeof(Number)));
  return true;
}

/// False, without a call, where the elements are no integers.
template <class Visit>
bool visit_integers(const GgufValue& value, const Visit& visit) {
  switch (value.type) {
    case GgufType::u8:
      return visit_as<uint8_t>(value, visit);
    case GgufType::i8:
      return visit_as<int8_t>(value, visit);
    case GgufType::u16:
      return visit_as<uint16_t>(value, visit);
    case GgufType::i16:
      return visit_as<int16_t>(value, visit);
    case GgufType::u32:
      return visit_as<uint32_t>(value, visit);
    case GgufType::i32:
      return visit_as<int32_t>(value, visit);
    case GgufType::u64:
      return visit_as<uint64_t>(value, visit);
    case GgufType::i64:
      return visit_as<int64_t>(value, visit);
    default:
      return false;
  }
}

/// False, without a call, where the elements are no floats.
template <class Visit>
bool visit_floats(const GgufValue& value, const Visit& visit) {
  if (value.type == GgufType::f32) return visit_as<float>(value, visit);
  return value.type == GgufType::f64 && visit_as<double>(value, visit);
}

}  // namespace

size_t gguf_type_bytes(GgufType type) { return info(type).bytes; }

uint64_t as_uint(std::string_view file, const GgufValue& value) {
  uint64_t result = 0;
  const auto take = [&](auto number) {
    if (std::cmp_less(number, 0)) fail(file, value, "no negative number", fmt::to_string(number));
    result = static_cast<std::make_unsigned_t<decltype(number)>>(number);
  };
  if (value.is_array || !visit_integers(value, take)) fail_type(file, value, "an integer");
  return result;
}

double as_float(std::string_view file, const GgufValue& value) {
  double result = 0;
  const auto take = [&](auto number) {
    if (!std::isfinite(number)) fail(file, value, "a finite number", fmt::to_string(number));
    result = number;
  };
  if (value.is_array || !visit_floats(value, take)) fail_type(file, value, "a float");
  return result;
}

bool as_bool(std::string_view file, const GgufValue& value) {
  if (value.is_array || value.type != GgufType::boolean) fail_type(file, value, "a bool");
  return load_number<uint8_t>(value.data.data()) != 0;
}

std::string_view as_string(std::string_view file, const GgufValue& value) {
  if (value.is_array || value.type != GgufType::string) fail_type(file, value, "a string");
  return ByteReader(file, value.data).string(value.key);
}

std::vector<int64_t> as_ints(std::string_view file, const GgufValue& value) {
  std::vector<int64_t> result;
  const auto take = [&](auto number) {
    if (!std::in_range<int64_t>(number)) fail(file, value, "integers of 63 bits", fmt::to_string(number));
    result.push_back(static_cast<int64_t>(number));
  };
  if (!value.is_array) fail_type(file, value, "an array of integers");
  result.reserve(value.count);
  const bool known = value.type == GgufType::boolean ? visit_as<uint8_t>(value, take) : visit_integers(value, take);
  if (!known) fail_type(file, value, "an array of integers");
  return result;
}

std::vector<double> as_floats(std::string_view file, const GgufValue& value) {
  std::vector<double> result;
  const auto take = [&](auto number) {
    if (std::isnan(number)) fail(file, value, "numbers", fmt::format("NaN at index {}", result.size()));
    result.push_back(number);
  };
  if (!value.is_array) fail_type(file, value, "an array of floats");
  result.reserve(value.count);
  if (!visit_floats(value, take)) fail_type(file, value, "an array of floats");
  return result;
}

std::vector<std::string_view> as_strings(std::string_view file, const GgufValue& value) {
  if (!value.is_array || value.type != GgufType::string) fail_type(file, value, "an array of strings");
  std::vector<std::string_view> result;
  result.reserve(value.count);
  ByteReader in(file, value.data);
  for (uint64_t i = 0; i < value.count; ++i) result.push_back(in.string(value.key));
  return result;
}

}  // namespace kvzip
