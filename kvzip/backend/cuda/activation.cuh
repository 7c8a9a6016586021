// For kernels: the activation functions of feed-forward parts.
#pragma once

#include "kvzip/backend/backend.h"

namespace kvzip::cuda {

__device__ inline float activated(float x, Activation activation) {
  if (activation == Activation::silu) return x / (1.0F + __expf(-x));
  if (activation == Activation::relu) return fmaxf(x, 0.0F);
  if (activation == Activation::gelu_erf) return x * normcdff(x);
  // 0.5 x (1 + tanh(y)) with y = sqrt(2 / pi) (x + 0.044715 x^3), as x * sigmoid(2 y): no cancellation where tanh is
  // near -1.
  const float twice_y = 1.5957691216F * x * (1.0F + 0.044715F * x * x);
  return x / (1.0F + __expf(-twice_y));
}

}  // namespace kvzip::cuda
