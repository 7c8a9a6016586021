#include "kvzip/text/pipeline/component.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "kvzip/base/json.h"
#include "kvzip/text/utf8.h"

namespace kvzip {

Component::Component(std::string_view file, std::string place, const nlohmann::json& value)
    : file_(file), place_(std::move(place)), object_(&value) {
  if (value.is_object()) return;
  const std::string where = place_.empty() ? file_ : fmt::format("{}: {}", file_, place_);
  throw Error(ErrorCode::input, fmt::format("{}: expected an object, found {}", where, shown(&value)));
}

std::string Component::place(std::string_view key) const {
  return fmt::format("{}: {}{}{}", file_, place_, place_.empty() ? "" : ".", key);
}

void Component::fail(std::string_view key, std::string_view expected, ErrorCode code) const {
  throw Error(code, fmt::format("{}: expected {}, found {}", place(key), expected, shown(find(key))));
}

const nlohmann::json* Component::find(std::string_view key) const {
  const auto found = object_->find(key);
  return found == object_->end() || found->is_null() ? nullptr : &*found;
}

const nlohmann::json& Component::get(std::string_view key, std::string_view expected) const {
  const nlohmann::json* const value = find(key);
  if (value == nullptr) fail(key, expected);
  return *value;
}

bool Component::flag(std::string_view key) const {
  if (!get(key, "true or false").is_boolean()) fail(key, "true or false");
  return find(key)->get<bool>();
}

bool Component::flag(std::string_view key, bool otherwise) const {
  return find(key) == nullptr ? otherwise : flag(key);
}

std::string Component::text(std::string_view key) const {
  if (!get(key, "a string").is_string()) fail(key, "a string");
  return find(key)->get<std::string>();
}

std::optional<std::string> Component::find_text(std::string_view key) const {
  return find(key) == nullptr ? std::nullopt : std::optional(text(key));
}

std::string Component::character(std::string_view key) const {
  std::string value = text(key);
  if (value.empty() || utf8_step(value).length != value.size()) fail(key, "one character");
  return value;
}

size_t Component::count(std::string_view key, size_t most) const {
  const nlohmann::json& value = get(key, "a number");
  if (!value.is_number_unsigned() || value.get<uint64_t>() > most) fail(key, fmt::format("a number up to {}", most));
  return value.get<size_t>();
}

std::optional<Component> Component::find_object(std::string_view key) const {
  const nlohmann::json* const value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_object()) fail(key, "an object");
  return Component(file_, fmt::format("{}{}{}", place_, place_.empty() ? "" : ".", key), *value);
}

Component Component::object(std::string_view key) const {
  get(key, "an object");
  return *find_object(key);
}

std::vector<Component> Component::list(std::string_view key) const {
  const nlohmann::json& value = get(key, "an array");
  if (!value.is_array()) fail(key, "an array");
  std::vector<Component> list;
  for (size_t i = 0; i < value.size(); ++i) {
    list.emplace_back(file_, fmt::format("{}{}{}[{}]", place_, place_.empty() ? "" : ".", key, i), value[i]);
  }
  return list;
}

}  // namespace kvzip
