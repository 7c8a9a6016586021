// Finds out whether this processor can run the kernels.
#include "kvzip/backend/cpu/block_dots.h"

namespace kvzip {
namespace {

bool has_vnni() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vnni");
#else
  return false;
#endif
}

}  // namespace

BlockDot block_dot(DType weight) {
  static const bool kUsable = has_vnni();
  return kUsable ? vnni_block_dot(weight) : nullptr;
}

EncodeQuads encode_quads() {
  static const bool kUsable = has_vnni();
  return kUsable ? vnni_encode_quads() : nullptr;
}

}  // namespace kvzip
