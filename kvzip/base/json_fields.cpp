#include "kvzip/base/json_fields.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "kvzip/base/json.h"
#include "kvzip/base/quote.h"

namespace kvzip {

using nlohmann::json;

JsonFields::JsonFields(std::string file, const json& object, std::string place)
    : file_(std::move(file)), object_(&object), place_(std::move(place)) {
  if (object.is_object()) return;
  throw Error(ErrorCode::input, fmt::format("{}: {}: expected a JSON object, found {}", file_,
                                            place_.empty() ? "the whole of it" : quote(place_), shown(&object)));
}

const json* JsonFields::find(std::string_view key) const {
  const auto found = object_->find(key);
  return found == object_->end() || found->is_null() ? nullptr : &*found;
}

bool JsonFields::is_null(std::string_view key) const {
  const auto found = object_->find(key);
  return found != object_->end() && found->is_null();
}

std::optional<bool> JsonFields::find_bool(std::string_view key) const {
  const json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_boolean()) fail(key, "true or false");
  return value->get<bool>();
}

std::optional<uint64_t> JsonFields::find_uint(std::string_view key) const {
  const json* value = find(key);
  if (value == nullptr) return std::nullopt;
  const bool whole = value->is_number_unsigned() || (value->is_number_integer() && value->get<int64_t>() >= 0);
  if (!whole) fail(key, "a whole number of at least 0");
  return value->get<uint64_t>();
}

std::optional<double> JsonFields::find_number(std::string_view key) const {
  const json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number() || !std::isfinite(value->get<double>())) fail(key, "a number");
  return value->get<double>();
}

std::optional<std::string_view> JsonFields::find_string(std::string_view key) const {
  const json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) fail(key, "a text");
  return value->get_ref<const std::string&>();
}

std::optional<std::vector<std::string_view>> JsonFields::find_strings(std::string_view key) const {
  const json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_array()) fail(key, "a list of texts");
  std::vector<std::string_view> strings;
  for (const json& element : *value) {
    if (!element.is_string()) fail(key, "a list of texts");
    strings.emplace_back(element.get_ref<const std::string&>());
  }
  return strings;
}

std::optional<JsonFields> JsonFields::find_object(std::string_view key) const {
  const json* value = find(key);
  if (value == nullptr) return std::nullopt;
  return JsonFields(file_, *value, place_.empty() ? std::string(key) : fmt::format("{}.{}", place_, key));
}

uint64_t JsonFields::uint_or(std::string_view key, uint64_t otherwise, uint64_t least, uint64_t most) const {
  const uint64_t value = find_uint(key).value_or(otherwise);
  if (value < least || value > most) fail(key, fmt::format("{} to {}", least, most));
  return value;
}

double JsonFields::positive_or(std::string_view key, double otherwise) const {
  const double value = find_number(key).value_or(otherwise);
  if (!(value > 0)) fail(key, "a positive number");
  return value;
}

void JsonFields::fail(std::string_view key, std::string_view expected, ErrorCode code) const {
  const std::string field = place_.empty() ? std::string(key) : fmt::format("{}.{}", place_, key);
  throw Error(code, fmt::format("{}: {}: expected {}, found {}", file_, field, expected, shown(find(key))));
}

}  // namespace kvzip
