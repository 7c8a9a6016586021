// Whether two answers say the same. Pure functions.
#pragma once

#include <cstdint>
#include <string_view>

namespace kvzip::cli {

enum class Agreement : uint8_t {
  same,      ///< letter by letter, apart from the spaces around them
  reworded,  ///< the same names and numbers, and at least half of the words in common
  differs,
};

/// Names and numbers are words with a digit, or with a capital letter elsewhere than at the start of a sentence.
Agreement compare_answers(std::string_view a, std::string_view b);
std::string_view agreement_name(Agreement agreement);

}  // namespace kvzip::cli
