// JSON files from unknown sources: parsed strictly, with bounds on size and nesting. Stateless; safe from any number of
// threads.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace kvzip {

struct JsonLimits {
  size_t bytes = size_t{1} << 20U;
  size_t depth = 64;  ///< objects and arrays inside each other
};

/// The document that `text` holds; `file` is its name in errors. Throws Error{input} naming the file, and the byte
/// where it is no JSON, nested too deeply or not UTF-8, or the key that one object has twice, or both sizes where it is
/// too long. Time and memory are linear in the text.
nlohmann::json parse_json(std::string_view file, std::string_view text, const JsonLimits& limits = {});

/// The same for the file at `path`.
nlohmann::json read_json(const std::string& path, const JsonLimits& limits = {});

/// A value for people, short whatever it holds; "none" where there is none.
std::string shown(const nlohmann::json* value);

}  // namespace kvzip
