// ROUGE-L of whole texts. Pure functions.
#pragma once

#include <string_view>

namespace kvzip {

/// The F score of the longest common subsequences of all sentences (Lin 2004, section 3.2), as the package
/// `rouge` 1.0.1 computes it: sentences end at full stops, each distinct word counts once. 0 where a side has no
/// sentence. Throws Error{input} where two sentences are too long to be compared (more than 2^26 pairs of words).
double rouge_l(std::string_view prediction, std::string_view reference);

}  // namespace kvzip
