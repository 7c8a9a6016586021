// One pass over the kept probabilities of a block; the maxima of a panel of columns stay in registers.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kvzip/backend/cpu/score.cpp"
#include <hwy/foreach_target.h>
// Must come after foreach_target.h.
#include "kvzip/backend/cpu/products_softmax-inl.h"
#include "kvzip/backend/cpu/score.h"

HWY_BEFORE_NAMESPACE();
namespace kvzip::attention::HWY_NAMESPACE {
namespace {

template <class T>
void raise_columns(const T* HWY_RESTRICT probabilities, const float* HWY_RESTRICT factors, size_t rows,
                   float* HWY_RESTRICT best) {
  const Floats tag;
  constexpr size_t kVectors = kManyRegisters ? 16 : 8;
  static_assert(kBlockKeys % (kVectors * kLanes) == 0);
  for (size_t c = 0; c < kBlockKeys; c += kVectors * kLanes) {
    Vector high[kVectors];
#pragma GCC unroll 16
    for (size_t v = 0; v < kVectors; ++v) high[v] = hn::LoadU(tag, best + c + v * kLanes);
    for (size_t row = 0; row < rows; ++row) {
      const T* from = probabilities + row * kBlockKeys + c;
      const Vector factor = hn::Set(tag, factors[row]);
#pragma GCC unroll 16
      for (size_t v = 0; v < kVectors; ++v) {
        high[v] = hn::Max(high[v], hn::Mul(load_f32(tag, from + v * kLanes), factor));
      }
    }
#pragma GCC unroll 16
    for (size_t v = 0; v < kVectors; ++v) hn::StoreU(high[v], tag, best + c + v * kLanes);
  }
}

void raise(const void* probabilities, DType dtype, const float* factors, size_t rows, float* best) {
  if (dtype == DType::f32) return raise_columns(static_cast<const float*>(probabilities), factors, rows, best);
  raise_columns(static_cast<const hwy::bfloat16_t*>(probabilities), factors, rows, best);
}

}  // namespace
}  // namespace kvzip::attention::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kvzip::attention {

HWY_EXPORT(raise);

void raise_scores(const void* probabilities, DType dtype, const float* factors, size_t rows, float* best) {
  HWY_DYNAMIC_DISPATCH(raise)(probabilities, dtype, factors, rows, best);
}

}  // namespace kvzip::attention
#endif
