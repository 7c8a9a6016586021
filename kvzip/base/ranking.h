// Order statistics of many floats by their bits, exact and in time linear in their number. No value may be NaN; the two
// zeros are equal. Stateless; safe from any number of threads.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace kvzip {

/// The value at place `n` (0 = the largest) of the values in descending order; n is below their number. Uses all
/// threads where that is quicker.
float nth_largest(std::span<const float> values, size_t n);
/// The same of the values of all parts together.
float nth_largest(std::span<const std::span<const float>> parts, size_t n);

/// Places of the `count` largest values, largest first, equal ones in their order. On the calling thread.
std::vector<uint32_t> largest_first(std::span<const float> values, size_t count);

/// The same places in ascending order: quicker, as nothing is sorted.
std::vector<uint32_t> largest_in_order(std::span<const float> values, size_t count);

/// Places of the values above `threshold`, ascending; `count` of them there are.
std::vector<uint32_t> places_above(std::span<const float> values, float threshold, size_t count);

}  // namespace kvzip
