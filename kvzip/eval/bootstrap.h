// How sure a mean is, from the values themselves. Pure functions of their arguments, the same on every platform.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace kvzip {

struct BootstrapOptions {
  size_t resamples = 2000;
  double confidence = 0.95;  ///< in (0, 1)
  uint64_t seed = 1;
};

/// A value with the ends of its percentile interval (Efron 1979).
struct Estimate {
  double value = 0;
  double low = 0;
  double high = 0;
};

/// The mean of `values`; all zero where there are none. Values that hang together (questions about one document) should
/// come as one value: their mean.
Estimate bootstrap_mean(std::span<const double> values, const BootstrapOptions& options = {});

/// mean(values) / mean(reference), where values[i] and reference[i] belong to the same document and are drawn together.
/// Resamples whose reference is zero don't count; all zero where the reference's mean is.
Estimate bootstrap_ratio(std::span<const double> values, std::span<const double> reference,
                         const BootstrapOptions& options = {});

}  // namespace kvzip
