// Linear layers over few rows: dot products with the weights as they are, bound by reading them once. One owner, one
// thread at a time; one call is one parallel region.
#pragma once

#include <span>
#include <vector>

#include "kvzip/backend/backend.h"
#include "kvzip/backend/cpu/cpu_memory.h"
#include "kvzip/backend/cpu/ggml_traits.h"

namespace kvzip {

class LinearRows {
 public:
  /// Backend::linear() for x and parts of checked shapes. Fast: activations are encoded as the weight's format
  /// multiplies them (8 bits for the quantised ones). Exact: weights are decoded to f32, row by row.
  void run(const ConstView& x, std::span<const LinearPart> parts, Precision precision);

 private:
  /// The rows of x in one encoding, `bytes` each.
  struct Encoded {
    ActivationFormat format;
    const std::byte* data;
    size_t bytes;
  };

  void encode_inputs(const ConstView& x, std::span<const LinearPart> parts, Precision precision);
  const Encoded& input_of(ActivationFormat format) const;
  void run_range(const LinearPart& part, size_t begin, size_t end, Precision precision, float* decoded) const;

  std::vector<Encoded> inputs_;
  Scratch encoded_;
  Scratch decoded_;
};

}  // namespace kvzip
