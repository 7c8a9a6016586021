// What attend() may be asked for, the same on every device. Stateless; safe from any number of threads.
#pragma once

#include <string_view>

#include "kvzip/backend/backend.h"

namespace kvzip {

/// Checks that shapes and the score request of `args` fit each other; which types q and out may have is the backend's
/// to check. Throws Error{unsupported} that names `device` where keys and values are of a type that no attention reads.
void check_attend(const AttendArgs& args, std::string_view device);

}  // namespace kvzip
