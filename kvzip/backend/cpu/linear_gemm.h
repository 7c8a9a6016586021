// Linear layers over many rows: weights are decoded tile by tile and multiplied by oneDNN, in bf16 with f32 sums where
// the processor has that and the caller wants speed, else in f32. One owner, one thread at a time.
#pragma once

#include <span>

#include "kvzip/backend/backend.h"
#include "kvzip/backend/cpu/cpu_memory.h"
#include "kvzip/backend/cpu/matmul.h"

namespace kvzip {

class LinearGemm {
 public:
  LinearGemm();

  /// Backend::linear() for x and parts of checked shapes.
  void run(const ConstView& x, std::span<const LinearPart> parts, Precision precision);

 private:
  /// x as the products take it: bf16 or f32, stride in values.
  struct Input {
    const void* data;
    size_t rows;
    size_t cols;
    size_t stride;
    bool bf16;
  };

  void run_rows(const ConstView& x, std::span<const LinearPart> parts, bool bf16);
  void run_part(const Input& x, const LinearPart& part);
  void run_tile(const Input& x, const LinearPart& tile);

  Matmul matmul_;
  bool has_bf16_;
  bool panels_of_f32_;
  Scratch activations_;
  Scratch weights_;
  Scratch outputs_;
};

}  // namespace kvzip
