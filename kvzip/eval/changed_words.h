// What two answers have in common, word by word. Pure functions.
#pragma once

#include <string>
#include <string_view>

namespace kvzip {

/// `text` as HTML, with the words that `before` doesn't have in this order in <ins>, and those of `before` that are
/// gone in <del>. Long texts (over 400 words) come without marks.
std::string mark_changes(std::string_view before, std::string_view text);

}  // namespace kvzip
