#include "kvzip/backend/cpu/convert.h"

#include <cstdint>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kvzip/backend/cpu/convert.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kvzip/backend/cpu/ggml_traits.h"
#include "kvzip/backend/cpu/simd_loop-inl.h"
#include "kvzip/backend/cpu/unpack.h"
#include "kvzip/base/check.h"

HWY_BEFORE_NAMESPACE();
namespace kvzip::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void f32_to_f16(const float* in, hwy::float16_t* out, size_t count) {
  for_each_vector(count, [&](auto d, size_t i) HWY_ATTR {
    const hn::Rebind<hwy::float16_t, decltype(d)> d16;
    hn::StoreU(hn::DemoteTo(d16, hn::LoadU(d, in + i)), d16, out + i);
  });
}

void f16_to_f32(const hwy::float16_t* in, float* out, size_t count) {
  for_each_vector(count, [&](auto d, size_t i) HWY_ATTR {
    const hn::Rebind<hwy::float16_t, decltype(d)> d16;
    hn::StoreU(hn::PromoteTo(d, hn::LoadU(d16, in + i)), d, out + i);
  });
}

/// Highway's own demotion truncates on processors without bf16 instructions, so the rounding is spelled out.
void f32_to_bf16(const float* in, uint16_t* out, size_t count) {
  for_each_vector(count, [&](auto d, size_t i) HWY_ATTR {
    const hn::RebindToUnsigned<decltype(d)> du;
    const hn::RebindToSigned<decltype(d)> di;
    const hn::Rebind<uint16_t, decltype(d)> d16;
    const auto value = hn::LoadU(d, in + i);
    const auto bits = hn::BitCast(du, value);
    const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1));
    const auto rounded = hn::Add(bits, hn::Add(odd, hn::Set(du, 0x7FFF)));
    const auto quiet_nan = hn::Or(bits, hn::Set(du, 0x400000));
    const auto kept = hn::IfThenElse(hn::RebindMask(du, hn::IsNaN(value)), quiet_nan, rounded);
    hn::StoreU(hn::DemoteTo(d16, hn::BitCast(di, hn::ShiftRight<16>(kept))), d16, out + i);
  });
}

void multiply(float factor, float* out, size_t count) {
  for_each_vector(count, [&](auto d, size_t i)
                             HWY_ATTR { hn::StoreU(hn::Mul(hn::Set(d, factor), hn::LoadU(d, out + i)), d, out + i); });
}

}  // namespace kvzip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kvzip {

HWY_EXPORT(f32_to_f16);
HWY_EXPORT(f16_to_f32);
HWY_EXPORT(f32_to_bf16);
HWY_EXPORT(multiply);

void convert_from_f32(const float* in, DType dtype, void* out, size_t values) {
  switch (dtype) {
    case DType::f32:
      std::memcpy(out, in, values * sizeof(float));
      return;
    case DType::f16:
      HWY_DYNAMIC_DISPATCH(f32_to_f16)(in, static_cast<hwy::float16_t*>(out), values);
      return;
    case DType::bf16:
      HWY_DYNAMIC_DISPATCH(f32_to_bf16)(in, static_cast<uint16_t*>(out), values);
      return;
    default:
      check(false, "values are stored as f32, f16 or bf16");
  }
}

void convert_to_f32(DType dtype, const void* row, float* out, size_t values) {
  if (dtype == DType::f16) {
    HWY_DYNAMIC_DISPATCH(f16_to_f32)(static_cast<const hwy::float16_t*>(row), out, values);
  } else if (!unpack_blocks(dtype, row, out, values)) {
    ggml_decode_row(dtype, row, out, values);
  }
}

void scale_values(float factor, float* out, size_t values) { HWY_DYNAMIC_DISPATCH(multiply)(factor, out, values); }

}  // namespace kvzip
#endif
