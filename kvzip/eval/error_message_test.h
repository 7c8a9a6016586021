// For the tests of this folder: what an error says.
#pragma once

#include <functional>
#include <string>

#include "kvzip/base/error.h"

namespace kvzip {

/// The message of the Error that `run` throws, or "no error".
inline std::string message_of(const std::function<void()>& run) {
  try {
    run();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace kvzip
