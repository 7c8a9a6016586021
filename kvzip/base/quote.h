// Text of unknown origin made safe to show in a one-line message. Stateless; safe from any number of threads.
#pragma once

#include <string>
#include <string_view>

namespace kvzip {

/// `text` in single quotes, cut after `limit` bytes; whatever is not printable ASCII appears as \xNN, so that a name
/// out of a corrupt file can neither break the line nor reach the terminal as a control sequence.
std::string quote(std::string_view text, size_t limit = 80);

}  // namespace kvzip
