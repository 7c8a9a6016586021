// The text around what a generated document is about. Pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "kvzip/eval/document.h"
#include "kvzip/eval/random.h"

namespace kvzip {

/// Sentences of about `tokens` tokens together, with the space behind each: those of the shipped documents, in random
/// order, again and again.
std::vector<std::string> haystack(size_t tokens, const CountTokens& count, SeededRandom& random);

/// The same for made-up lines: appends make(i) for i = 0, 1, ... until together they have about `tokens` tokens, at
/// least `least` of them. Throws Error{usage} where that is more than `tokens` allow.
std::vector<std::string> lines_of(size_t tokens, size_t least, const CountTokens& count,
                                  const std::function<std::string(size_t index)>& make);

/// `needles` put between the `hay`, evenly spread in random places, or a single one at `depth` (0 to 1) of it.
std::string spread(const std::vector<std::string>& hay, std::vector<std::string> needles, SeededRandom& random);
std::string insert_at(const std::vector<std::string>& hay, const std::string& needle, double depth);

std::string joined(const std::vector<std::string>& pieces);

}  // namespace kvzip
