// Row by row normalisations of the CPU backend: what each does is said in backend/backend.h, where the shapes are
// checked before these are called. Stateless; each uses all threads when there is enough to do.
#pragma once

#include "kvzip/backend/backend.h"

namespace kvzip {

void rms_norm_cpu(const ConstView& x, const float* weight, float eps, const View& out);
void layer_norm_cpu(const ConstView& x, const float* weight, const float* bias, float eps, const View& out);

}  // namespace kvzip
