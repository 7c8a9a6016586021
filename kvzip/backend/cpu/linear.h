// Linear layers on the CPU: the choice between reading the weights once for few rows and a matrix product for many.
// One owner, one thread at a time.
#pragma once

#include <span>

#include "kvzip/backend/backend.h"
#include "kvzip/backend/cpu/linear_gemm.h"
#include "kvzip/backend/cpu/linear_rows.h"

namespace kvzip {

class Linear {
 public:
  /// Backend::linear() for x and parts of checked shapes.
  void run(const ConstView& x, std::span<const LinearPart> parts, Precision precision);

 private:
  LinearRows rows_;
  LinearGemm gemm_;
};

}  // namespace kvzip
