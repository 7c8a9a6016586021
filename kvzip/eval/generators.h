// Documents made on the spot, which test one ability each: finding a sentence, looking up a key, following a chain.
// What they say is drawn by a seed, so that no model has seen it. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kvzip/eval/document.h"

namespace kvzip {

struct GeneratorOptions {
  size_t tokens = 2000;  ///< about so long is the document
  uint64_t seed = 1;
  size_t index = 0;  ///< which of the documents that this seed has
  CountTokens count{};
};

/// One kind of document. Throws Error{usage} where `tokens` leaves no room for what has to be in it.
using Generate = EvalDocument (*)(const GeneratorOptions& options);

/// A sentence among others: document i has it at depth (i mod 11) * 10 %.
EvalDocument generate_needle(const GeneratorOptions& options);
/// Twelve sentences of one form; four of them are asked for.
EvalDocument generate_needle_multi_key(const GeneratorOptions& options);
/// One name with four numbers in four places; all are asked for.
EvalDocument generate_needle_multi_value(const GeneratorOptions& options);
/// Assignments of variables to variables: which of them have one value?
EvalDocument generate_variables(const GeneratorOptions& options);
/// Keys with values and nothing else; four values are asked for.
EvalDocument generate_key_values(const GeneratorOptions& options);
/// A list of words, some of them far more often than all others: which?
EvalDocument generate_common_words(const GeneratorOptions& options);
/// A list of words: which begins and ends with certain letters?
EvalDocument generate_prefix_suffix(const GeneratorOptions& options);
/// A list of numbers: which is the largest, which the smallest?
EvalDocument generate_math_find(const GeneratorOptions& options);
/// Made-up words put into four classes by their endings: which class has a word that isn't among the examples?
EvalDocument generate_many_shot(const GeneratorOptions& options);

}  // namespace kvzip
