// Unicode's normal forms as the package `tokenizers` 0.23.3 makes them: characters that came after Unicode 9 stay as
// they are. Text must be valid UTF-8. Stateless; safe from any number of threads. All throw Error{memory} where there
// is none.
#pragma once

#include <string>
#include <string_view>

namespace kvzip {

std::string nfc(std::string_view text);
std::string nfd(std::string_view text);
std::string nfkc(std::string_view text);
std::string nfkd(std::string_view text);

}  // namespace kvzip
