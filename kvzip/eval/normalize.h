// Answers brought into the form in which they are compared. Text that is no UTF-8 counts as U+FFFD there. Pure
// functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kvzip {

/// `text` in lower case, without ASCII's punctuation and the articles a, an and the, zero to nine as digits, and single
/// spaces between words: the rule of SCBench, which the original implementation evaluates by.
std::string normalize_answer(std::string_view text);

/// The runs of characters other than white space, as Python's str.split() sees them. Views into `text`.
std::vector<std::string_view> split_words(std::string_view text);

/// `text` without white space at its ends, and in lower case.
std::string_view strip_text(std::string_view text);
std::string lower_text(std::string_view text);

/// `answer` without a "</s>" at its end.
std::string_view without_end_mark(std::string_view answer);

}  // namespace kvzip
