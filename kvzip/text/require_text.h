// Whether bytes are a text at all, asked wherever a user hands some over. Stateless.
#pragma once

#include <string_view>

namespace kvzip {

/// Throws Error{input} that calls it `name` where `text` has nothing but white space in it, or a zero byte, as only
/// binary files do.
void require_text(std::string_view name, std::string_view text);

}  // namespace kvzip
