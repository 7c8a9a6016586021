#include "kvzip/backend/cpu/activation.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kvzip/backend/cpu/activation.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// After foreach_target.h, as all that is compiled once per instruction set.
#include <hwy/contrib/math/math-inl.h>

#include "kvzip/backend/cpu/elementwise.h"
#include "kvzip/backend/cpu/simd_loop-inl.h"
#include "kvzip/base/parallel.h"

HWY_BEFORE_NAMESPACE();
namespace kvzip::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// 1 / (1 + exp(-x)); the bound keeps exp finite, where the result is zero in f32 all the same.
template <class D, class V>
HWY_INLINE V sigmoid(D d, V x) {
  const V power = hn::Exp(d, hn::Min(hn::Neg(x), hn::Set(d, 88.0F)));
  return hn::Div(hn::Set(d, 1.0F), hn::Add(hn::Set(d, 1.0F), power));
}

struct Silu {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return hn::Mul(x, sigmoid(d, x));
  }
};

/// 0.5 x (1 + tanh(y)) with y = sqrt(2 / pi) (x + 0.044715 x^3), as x * sigmoid(2 y): no cancellation where tanh is
/// near -1.
struct GeluTanh {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const V cubic = hn::MulAdd(hn::Mul(x, x), hn::Set(d, 0.044715F), hn::Set(d, 1.0F));
    const V twice_y = hn::Mul(hn::Mul(x, cubic), hn::Set(d, 1.5957691216F));
    return hn::Mul(x, sigmoid(d, twice_y));
  }
};

/// x Phi(x), where Phi(-|x|) = erfc(|x| / sqrt(2)) / 2 is Abramowitz and Stegun's 7.1.26: wrong by less than 1e-7.
struct GeluErf {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const V size = hn::Abs(x);
    const V t = hn::Div(hn::Set(d, 1.0F), hn::MulAdd(size, hn::Set(d, 0.3275911F * 0.70710678F), hn::Set(d, 1.0F)));
    V sum = hn::MulAdd(t, hn::Set(d, 0.5F * 1.061405429F), hn::Set(d, 0.5F * -1.453152027F));
    for (const float term : {1.421413741F, -0.284496736F, 0.254829592F})
      sum = hn::MulAdd(t, sum, hn::Set(d, 0.5F * term));
    const V half_square = hn::Min(hn::Mul(hn::Mul(x, x), hn::Set(d, 0.5F)), hn::Set(d, 88.0F));
    const V below = hn::Mul(hn::Mul(t, sum), hn::Exp(d, hn::Neg(half_square)));
    return hn::NegMulAdd(size, below, hn::Max(x, hn::Zero(d)));
  }
};

struct Relu {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return hn::Max(x, hn::Zero(d));
  }
};

/// x = function(x), times `up` where there is one.
template <class Function>
HWY_INLINE void activate_row(const Function& function, float* x, const float* up, size_t count) {
  if (up == nullptr) {
    for_each_vector(count, [&](auto d, size_t i) HWY_ATTR { hn::StoreU(function(d, hn::LoadU(d, x + i)), d, x + i); });
  } else {
    for_each_vector(count, [&](auto d, size_t i) HWY_ATTR {
      hn::StoreU(hn::Mul(function(d, hn::LoadU(d, x + i)), hn::LoadU(d, up + i)), d, x + i);
    });
  }
}

void silu_row(float* x, const float* up, size_t count) { activate_row(Silu{}, x, up, count); }
void gelu_tanh_row(float* x, const float* up, size_t count) { activate_row(GeluTanh{}, x, up, count); }
void gelu_erf_row(float* x, const float* up, size_t count) { activate_row(GeluErf{}, x, up, count); }
void relu_row(float* x, const float* up, size_t count) { activate_row(Relu{}, x, up, count); }

}  // namespace kvzip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kvzip {
namespace {

HWY_EXPORT(silu_row);
HWY_EXPORT(gelu_tanh_row);
HWY_EXPORT(gelu_erf_row);
HWY_EXPORT(relu_row);

auto row_function(Activation activation) {
  switch (activation) {
    case Activation::silu:
      return HWY_DYNAMIC_DISPATCH(silu_row);
    case Activation::gelu_tanh:
      return HWY_DYNAMIC_DISPATCH(gelu_tanh_row);
    case Activation::gelu_erf:
      return HWY_DYNAMIC_DISPATCH(gelu_erf_row);
    case Activation::relu:
      break;
  }
  return HWY_DYNAMIC_DISPATCH(relu_row);
}

template <class UpRow>
void activate_rows(const View& x, Activation activation, const UpRow& up_row) {
  const auto activate = row_function(activation);
  // An exponential costs as much as some four additions.
  parallel_ranges(x.rows, row_grain(x.cols * 4), [&](size_t begin, size_t end) {
    for (size_t row = begin; row < end; ++row) activate(f32_row(x, row), up_row(row), x.cols);
  });
}

}  // namespace

void gated_activation_cpu(const View& gate, const ConstView& up, Activation activation) {
  activate_rows(gate, activation, [&up](size_t row) { return f32_row(up, row); });
}

void activate_cpu(const View& x, Activation activation) {
  activate_rows(x, activation, [](size_t) -> const float* { return nullptr; });
}

}  // namespace kvzip
#endif
