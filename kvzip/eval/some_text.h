// Text that a data set must not leave out. Stateless.
#pragma once

#include <string>
#include <string_view>

#include "kvzip/base/json_fields.h"
#include "kvzip/eval/normalize.h"

namespace kvzip {

/// The text of that field. Throws Error{input} where there is none, or only white space.
inline std::string some_text(const JsonFields& fields, std::string_view key) {
  const auto text = fields.find_string(key);
  if (!text || strip_text(*text).empty()) fields.fail(key, "some text");
  return std::string(*text);
}

}  // namespace kvzip
