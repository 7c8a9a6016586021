#include "kvzip/backend/cpu/norms.h"

#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kvzip/backend/cpu/norms.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// After foreach_target.h, as all that is compiled once per instruction set.

#include "kvzip/backend/cpu/elementwise.h"
#include "kvzip/backend/cpu/simd_loop-inl.h"
#include "kvzip/base/parallel.h"

HWY_BEFORE_NAMESPACE();
namespace kvzip::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// A sum over `count` values: add(d, i, sum) returns `sum` with the terms of the vector at i added. Four running sums
/// hide the latency of the additions, and make the result more accurate than one would.
template <class Add>
HWY_INLINE float sum_of(size_t count, const Add& add) {
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  auto sum0 = hn::Zero(d);
  auto sum1 = sum0;
  auto sum2 = sum0;
  auto sum3 = sum0;
  size_t i = 0;
  for (; i + 4 * lanes <= count; i += 4 * lanes) {
    sum0 = add(d, i, sum0);
    sum1 = add(d, i + lanes, sum1);
    sum2 = add(d, i + 2 * lanes, sum2);
    sum3 = add(d, i + 3 * lanes, sum3);
  }
  for (; i + lanes <= count; i += lanes) sum0 = add(d, i, sum0);
  const hn::CappedTag<float, 1> d1;
  auto rest = hn::Zero(d1);
  for (; i < count; ++i) rest = add(d1, i, rest);
  return hn::GetLane(rest) + hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(sum0, sum1), hn::Add(sum2, sum3))));
}

void rms_norm_row(const float* x, const float* weight, float eps, float* out, size_t count) {
  const float squares = sum_of(count, [&](auto d, size_t i, auto sum) HWY_ATTR {
    const auto value = hn::LoadU(d, x + i);
    return hn::MulAdd(value, value, sum);
  });
  const float factor = 1.0F / std::sqrt(squares / static_cast<float>(count) + eps);
  for_each_vector(count, [&](auto d, size_t i) HWY_ATTR {
    const auto scaled = hn::Mul(hn::LoadU(d, x + i), hn::Set(d, factor));
    hn::StoreU(hn::Mul(scaled, hn::LoadU(d, weight + i)), d, out + i);
  });
}

// Two passes: the squares of x less its mean, not the mean of the squares less a square, which cancels where the mean
// is large.
void layer_norm_row(const float* x, const float* weight, const float* bias, float eps, float* out, size_t count) {
  const auto values = static_cast<float>(count);
  const float mean =
      sum_of(count, [&](auto d, size_t i, auto sum) HWY_ATTR { return hn::Add(sum, hn::LoadU(d, x + i)); }) / values;
  const float variance = sum_of(count,
                                [&](auto d, size_t i, auto sum) HWY_ATTR {
                                  const auto centred = hn::Sub(hn::LoadU(d, x + i), hn::Set(d, mean));
                                  return hn::MulAdd(centred, centred, sum);
                                }) /
                         values;
  const float factor = 1.0F / std::sqrt(variance + eps);
  for_each_vector(count, [&](auto d, size_t i) HWY_ATTR {
    const auto scaled = hn::Mul(hn::Sub(hn::LoadU(d, x + i), hn::Set(d, mean)), hn::Set(d, factor));
    hn::StoreU(hn::MulAdd(scaled, hn::LoadU(d, weight + i), hn::LoadU(d, bias + i)), d, out + i);
  });
}

}  // namespace kvzip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kvzip {

HWY_EXPORT(rms_norm_row);
HWY_EXPORT(layer_norm_row);

void rms_norm_cpu(const ConstView& x, const float* weight, float eps, const View& out) {
  const auto norm = HWY_DYNAMIC_DISPATCH(rms_norm_row);
  parallel_ranges(x.rows, row_grain(x.cols), [&](size_t begin, size_t end) {
    for (size_t row = begin; row < end; ++row) norm(f32_row(x, row), weight, eps, f32_row(out, row), x.cols);
  });
}

void layer_norm_cpu(const ConstView& x, const float* weight, const float* bias, float eps, const View& out) {
  const auto norm = HWY_DYNAMIC_DISPATCH(layer_norm_row);
  parallel_ranges(x.rows, row_grain(x.cols), [&](size_t begin, size_t end) {
    for (size_t row = begin; row < end; ++row) norm(f32_row(x, row), weight, bias, eps, f32_row(out, row), x.cols);
  });
}

}  // namespace kvzip
#endif
