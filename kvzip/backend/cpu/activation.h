// Activation functions of the CPU backend, with a gate and without: what each does is said in backend/backend.h, where
// the shapes are checked before these are called. Stateless; each uses all threads when there is enough to do.
#pragma once

#include "kvzip/backend/backend.h"

namespace kvzip {

void gated_activation_cpu(const View& gate, const ConstView& up, Activation activation);
void activate_cpu(const View& x, Activation activation);

}  // namespace kvzip
