// How long-running stages tell their caller how far they are, and learn that they should stop.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

#include "kvzip/base/error.h"

namespace kvzip {

/// `done` of `total` units (tokens, for the stages) of the named stage. A stage ends with done == total.
struct Progress {
  std::string_view stage;
  size_t done = 0;
  size_t total = 0;
};

/// Called from the thread that runs the stage, many times a second. Returning false cancels the stage, which then
/// throws Error{cancelled} and leaves every argument it was given usable.
using ProgressFn = std::function<bool(const Progress&)>;

/// Reports to `progress`, if there is one; throws Error{cancelled} if the answer is to stop.
inline void report(const ProgressFn& progress, const Progress& state) {
  if (progress && !progress(state)) throw Error(ErrorCode::cancelled, "cancelled");
}

}  // namespace kvzip
