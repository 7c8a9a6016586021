// Numbers of tokenizer.json as the package `tokenizers` reads them. Stateless; safe from any number of threads.
#pragma once

namespace kvzip {

/// What the package takes a score for that is written with the shortest digits that stand for `score`, as the package
/// itself and Python write it: it makes a double of the digits and then scales it by a power of ten, and each step
/// rounds. In the last bit that is another number for one score in four, which decides between spellings of equal
/// probability.
double score_as_read(double score);

}  // namespace kvzip
