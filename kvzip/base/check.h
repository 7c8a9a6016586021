// check(): states what our own code guarantees. Never for user input, which gets an Error of its own.
#pragma once

#include <source_location>
#include <string>

#include "kvzip/base/error.h"

namespace kvzip {

/// Throws Error{internal} naming the place unless `holds`.
inline void check(bool holds, const char* what, std::source_location where = std::source_location::current()) {
  if (!holds) {
    throw Error(ErrorCode::internal, std::string("internal error: ") + what + " (" + where.file_name() + ":" +
                                         std::to_string(where.line()) + ")");
  }
}

}  // namespace kvzip
