// Sums over the values of a head. Pure functions; the compiler may reorder the sums.
#pragma once

#include <cmath>
#include <cstddef>

namespace kvzip {

inline float dot(const float* a, const float* b, size_t size) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (size_t i = 0; i < size; ++i) sum += a[i] * b[i];
  return sum;
}

inline float norm(const float* a, size_t size) { return std::sqrt(dot(a, a, size)); }

}  // namespace kvzip
