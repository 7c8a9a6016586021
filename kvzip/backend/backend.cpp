#include "kvzip/backend/backend.h"

#include <array>

namespace kvzip {

ConstView Backend::rows_of_input(const LinearInput& in) {
  if (in.norm == nullptr) return in.x;
  rms_norm(in.x, in.norm, in.eps, in.normed);
  return in.normed;
}

void Backend::gated_linear(const LinearInput& in, const LinearPart& gate, const LinearPart& up, Activation activation) {
  linear(in, std::array{gate, up});
  gated_activation(gate.out, up.out, activation);
}

void Backend::attend_together(std::span<const AttendArgs> calls) {
  for (const AttendArgs& args : calls) attend(args);
}

}  // namespace kvzip
