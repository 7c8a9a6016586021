// Chooses the kernels that this processor can run.
#include "kvzip/backend/cpu/products.h"

namespace kvzip::attention {
namespace {

bool has_bf16_products() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bf16") && bf16_panel_products() != nullptr;
#else
  return false;
#endif
}

}  // namespace

const ProductKernels& panel_products(Precision precision) {
  static const bool kHasBf16 = has_bf16_products();
  return precision == Precision::fast && kHasBf16 ? *bf16_panel_products() : f32_panel_products();
}

}  // namespace kvzip::attention
