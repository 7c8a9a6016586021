#include "kvzip/backend/cpu/elementwise.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kvzip/backend/cpu/elementwise.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// After foreach_target.h, as all that is compiled once per instruction set.

#include "kvzip/backend/cpu/simd_loop-inl.h"
#include "kvzip/base/parallel.h"

HWY_BEFORE_NAMESPACE();
namespace kvzip::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void add_row(float* x, const float* y, size_t count) {
  for_each_vector(count, [&](auto d, size_t i)
                             HWY_ATTR { hn::StoreU(hn::Add(hn::LoadU(d, x + i), hn::LoadU(d, y + i)), d, x + i); });
}

/// One head: (a, b) -> (a cos - b sin, b cos + a sin) for each pair.
void rope_halves(float* x, const float* cosines, const float* sines, size_t pairs) {
  for_each_vector(pairs, [&](auto d, size_t i) HWY_ATTR {
    const auto a = hn::LoadU(d, x + i);
    const auto b = hn::LoadU(d, x + pairs + i);
    const auto c = hn::LoadU(d, cosines + i);
    const auto s = hn::LoadU(d, sines + i);
    hn::StoreU(hn::NegMulAdd(b, s, hn::Mul(a, c)), d, x + i);
    hn::StoreU(hn::MulAdd(a, s, hn::Mul(b, c)), d, x + pairs + i);
  });
}

void rope_adjacent(float* x, const float* cosines, const float* sines, size_t pairs) {
  for_each_vector(pairs, [&](auto d, size_t i) HWY_ATTR {
    hn::Vec<decltype(d)> a;
    hn::Vec<decltype(d)> b;
    hn::LoadInterleaved2(d, x + 2 * i, a, b);
    const auto c = hn::LoadU(d, cosines + i);
    const auto s = hn::LoadU(d, sines + i);
    hn::StoreInterleaved2(hn::NegMulAdd(b, s, hn::Mul(a, c)), hn::MulAdd(a, s, hn::Mul(b, c)), d, x + 2 * i);
  });
}

}  // namespace kvzip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kvzip {

HWY_EXPORT(add_row);
HWY_EXPORT(rope_halves);
HWY_EXPORT(rope_adjacent);

void add_cpu(const View& x, const ConstView& y) {
  const auto add = HWY_DYNAMIC_DISPATCH(add_row);
  parallel_ranges(x.rows, row_grain(x.cols), [&](size_t begin, size_t end) {
    for (size_t row = begin; row < end; ++row) add(f32_row(x, row), f32_row(y, row), x.cols);
  });
}

void rope_cpu(const View& x, size_t head_dim, const ConstView& cos_sin, RopePairing pairing) {
  const auto rotate =
      pairing == RopePairing::halves ? HWY_DYNAMIC_DISPATCH(rope_halves) : HWY_DYNAMIC_DISPATCH(rope_adjacent);
  const size_t pairs = cos_sin.cols / 2;
  parallel_ranges(x.rows, row_grain(x.cols), [&](size_t begin, size_t end) {
    for (size_t row = begin; row < end; ++row) {
      const float* const cosines = f32_row(cos_sin, row);
      for (size_t first = 0; first < x.cols; first += head_dim) {
        rotate(f32_row(x, row) + first, cosines, cosines + pairs, pairs);
      }
    }
  });
}

}  // namespace kvzip
#endif
