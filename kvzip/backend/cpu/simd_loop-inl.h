// A loop over contiguous values in vectors of the processor's width, for files that Highway compiles once per
// instruction set. Include after <hwy/highway.h>, inside such a file.

// NOLINTNEXTLINE(llvm-header-guard): Highway's own guard, which flips so that each pass over the file sees this text
// once.
#if defined(KVZIP_BACKEND_CPU_SIMD_LOOP_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef KVZIP_BACKEND_CPU_SIMD_LOOP_INL_H_
#undef KVZIP_BACKEND_CPU_SIMD_LOOP_INL_H_
#else
#define KVZIP_BACKEND_CPU_SIMD_LOOP_INL_H_
#endif

#include <hwy/highway.h>

#include <cstddef>

HWY_BEFORE_NAMESPACE();
namespace kvzip::HWY_NAMESPACE {

/// Calls op(d, i) for every whole vector of f32 at i, then op(d1, i) with a one-lane tag for each value that is left
/// over. The one-lane tail reads and writes nothing beyond `count`, on any instruction set.
template <class Op>
HWY_INLINE void for_each_vector(size_t count, const Op& op) {
  const hwy::HWY_NAMESPACE::ScalableTag<float> d;
  const size_t lanes = hwy::HWY_NAMESPACE::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) op(d, i);
  const hwy::HWY_NAMESPACE::CappedTag<float, 1> d1;
  for (; i < count; ++i) op(d1, i);
}

}  // namespace kvzip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
