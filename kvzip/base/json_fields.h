// The fields of one object of a JSON file, read with checks: errors name the file, the field with the way to it, what
// was expected and what was found. Borrows the document; safe from any number of threads.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvzip/base/error.h"

namespace kvzip {

class JsonFields {
 public:
  /// `object` must outlive this. `place` is the way to it from the top ("text_config"), empty for the top itself.
  /// Throws Error{input} where it is no object.
  JsonFields(std::string file, const nlohmann::json& object, std::string place = {});

  const std::string& file() const { return file_; }

  /// Null where the field is absent or null, which mean the same in all that follows.
  const nlohmann::json* find(std::string_view key) const;
  bool has(std::string_view key) const { return find(key) != nullptr; }
  /// For the few keys where null says something else than no key.
  bool is_null(std::string_view key) const;

  /// All throw Error{input} where the value is of another kind; numbers are finite.
  std::optional<bool> find_bool(std::string_view key) const;
  std::optional<uint64_t> find_uint(std::string_view key) const;
  std::optional<double> find_number(std::string_view key) const;
  std::optional<std::string_view> find_string(std::string_view key) const;
  std::optional<std::vector<std::string_view>> find_strings(std::string_view key) const;
  std::optional<JsonFields> find_object(std::string_view key) const;

  /// `otherwise` where the field is absent; Error{input} for a value outside [least, most].
  uint64_t uint_or(std::string_view key, uint64_t otherwise, uint64_t least, uint64_t most) const;
  double positive_or(std::string_view key, double otherwise) const;

  /// Throws Error{code} that the field was expected to be `expected`, and what it is.
  [[noreturn]] void fail(std::string_view key, std::string_view expected, ErrorCode code = ErrorCode::input) const;

 private:
  std::string file_;
  const nlohmann::json* object_;
  std::string place_;
};

}  // namespace kvzip
