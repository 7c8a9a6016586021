#include "kvzip/backend/cpu/elementwise.h"

#include <algorithm>
#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kvzip/backend/cpu/elementwise.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// After foreach_target.h, as all that is compiled once per instruction set.
#include <hwy/contrib/math/math-inl.h>

#include "kvzip/backend/cpu/simd_loop-inl.h"
#include "kvzip/base/parallel.h"

HWY_BEFORE_NAMESPACE();
namespace kvzip::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Four running sums hide the latency of the additions, and make the result more accurate than one would.
float sum_of_squares(const float* x, size_t count) {
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  auto sum0 = hn::Zero(d);
  auto sum1 = sum0;
  auto sum2 = sum0;
  auto sum3 = sum0;
  const auto square = [&](size_t at, auto sum) HWY_ATTR {
    const auto value = hn::LoadU(d, x + at);
    return hn::MulAdd(value, value, sum);
  };
  size_t i = 0;
  for (; i + 4 * lanes <= count; i += 4 * lanes) {
    sum0 = square(i, sum0);
    sum1 = square(i + lanes, sum1);
    sum2 = square(i + 2 * lanes, sum2);
    sum3 = square(i + 3 * lanes, sum3);
  }
  for (; i + lanes <= count; i += lanes) sum0 = square(i, sum0);
  float rest = 0;
  for (; i < count; ++i) rest += x[i] * x[i];
  return rest + hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(sum0, sum1), hn::Add(sum2, sum3))));
}

void norm_row(const float* x, const float* weight, float eps, float* out, size_t count) {
  const float factor = 1.0F / std::sqrt(sum_of_squares(x, count) / static_cast<float>(count) + eps);
  for_each_vector(count, [&](auto d, size_t i) HWY_ATTR {
    const auto scaled = hn::Mul(hn::LoadU(d, x + i), hn::Set(d, factor));
    hn::StoreU(hn::Mul(scaled, hn::LoadU(d, weight + i)), d, out + i);
  });
}

/// 1 / (1 + exp(-x)); the bound keeps exp finite, where the result is zero in f32 all the same.
template <class D, class V>
HWY_INLINE V sigmoid(D d, V x) {
  const V power = hn::Exp(d, hn::Min(hn::Neg(x), hn::Set(d, 88.0F)));
  return hn::Div(hn::Set(d, 1.0F), hn::Add(hn::Set(d, 1.0F), power));
}

void silu_row(float* gate, const float* up, size_t count) {
  for_each_vector(count, [&](auto d, size_t i) HWY_ATTR {
    const auto x = hn::LoadU(d, gate + i);
    hn::StoreU(hn::Mul(hn::Mul(x, sigmoid(d, x)), hn::LoadU(d, up + i)), d, gate + i);
  });
}

/// 0.5 x (1 + tanh(y)) with y = sqrt(2 / pi) (x + 0.044715 x^3), as x * sigmoid(2 y): no cancellation where tanh is
/// near -1.
void gelu_tanh_row(float* gate, const float* up, size_t count) {
  for_each_vector(count, [&](auto d, size_t i) HWY_ATTR {
    const auto x = hn::LoadU(d, gate + i);
    const auto cubic = hn::MulAdd(hn::Mul(x, x), hn::Set(d, 0.044715F), hn::Set(d, 1.0F));
    const auto twice_y = hn::Mul(hn::Mul(x, cubic), hn::Set(d, 1.5957691216F));
    hn::StoreU(hn::Mul(hn::Mul(x, sigmoid(d, twice_y)), hn::LoadU(d, up + i)), d, gate + i);
  });
}

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

HWY_EXPORT(norm_row);
HWY_EXPORT(silu_row);
HWY_EXPORT(gelu_tanh_row);
HWY_EXPORT(add_row);
HWY_EXPORT(rope_halves);
HWY_EXPORT(rope_adjacent);

void rms_norm_cpu(const ConstView& x, const float* weight, float eps, const View& out) {
  const auto norm = HWY_DYNAMIC_DISPATCH(norm_row);
  parallel_ranges(x.rows, row_grain(x.cols), [&](size_t begin, size_t end) {
    for (size_t row = begin; row < end; ++row) norm(f32_row(x, row), weight, eps, f32_row(out, row), x.cols);
  });
}

void gated_activation_cpu(const View& gate, const ConstView& up, Activation activation) {
  const auto activate =
      activation == Activation::silu ? HWY_DYNAMIC_DISPATCH(silu_row) : HWY_DYNAMIC_DISPATCH(gelu_tanh_row);
  // An exponential costs as much as some four additions.
  parallel_ranges(gate.rows, row_grain(gate.cols * 4), [&](size_t begin, size_t end) {
    for (size_t row = begin; row < end; ++row) activate(f32_row(gate, row), f32_row(up, row), gate.cols);
  });
}

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
