#include "kvzip/backend/cpu/unpack.h"

#include <cstdint>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kvzip/backend/cpu/unpack.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace kvzip::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// At most 16 lanes, so that a vector never spans the two nibble halves of a block of 32.
using Floats = hn::CappedTag<float, 16>;
using Ints = hn::RebindToSigned<Floats>;
using Bytes = hn::Rebind<uint8_t, Floats>;
using SignedBytes = hn::Rebind<int8_t, Floats>;

HWY_INLINE float half_at(const uint8_t* at) {
  const hn::CappedTag<float, 1> d;
  const hn::Rebind<hwy::float16_t, decltype(d)> d16;
  return hn::GetLane(hn::PromoteTo(d, hn::LoadU(d16, reinterpret_cast<const hwy::float16_t*>(at))));
}

HWY_INLINE void store_scaled(hn::Vec<Ints> ints, hn::Vec<Floats> factor, float* out) {
  hn::StoreU(hn::Mul(hn::ConvertTo(Floats(), ints), factor), Floats(), out);
}

HWY_INLINE void store_scaled(hn::Vec<Ints> ints, hn::Vec<Floats> factor, hn::Vec<Floats> offset, float* out) {
  hn::StoreU(hn::MulAdd(hn::ConvertTo(Floats(), ints), factor, offset), Floats(), out);
}

/// Blocks of 32 values of 4 or 5 bits: scale, minimum (if kMinimum), the fifth bits of all values (if kFifthBit), then
/// the low bits: byte i holds value i in its low half and value i + 16 in its high half.
template <bool kFifthBit, bool kMinimum>
void unpack_nibbles(const uint8_t* block, float* out, size_t values) {
  constexpr size_t kHeader = (kMinimum ? 4 : 2) + (kFifthBit ? 4 : 0);
  const Ints di;
  const size_t lanes = hn::Lanes(di);
  const auto lane_bit = hn::Shl(hn::Set(di, 1), hn::Iota(di, 0));
  for (const float* end = out + values; out != end; out += 32, block += kHeader + 16) {
    const float scale = half_at(block);
    const auto factor = hn::Set(Floats(), scale);
    const auto offset = hn::Set(Floats(), kMinimum ? half_at(block + 2) : scale * (kFifthBit ? -16.0F : -8.0F));
    uint32_t fifth_bits = 0;
    if constexpr (kFifthBit) std::memcpy(&fifth_bits, block + kHeader - 4, sizeof(fifth_bits));
    const auto with_fifth = [&](auto low, size_t first) HWY_ATTR {
      if constexpr (!kFifthBit) return low;
      const auto bits = hn::Set(di, static_cast<int32_t>(fifth_bits >> first));
      return hn::Or(low, hn::IfThenElseZero(hn::TestBit(bits, lane_bit), hn::Set(di, 16)));
    };
    for (size_t i = 0; i < 16; i += lanes) {
      const auto pair = hn::PromoteTo(di, hn::LoadU(Bytes(), block + kHeader + i));
      store_scaled(with_fifth(hn::And(pair, hn::Set(di, 15)), i), factor, offset, out + i);
      store_scaled(with_fifth(hn::ShiftRight<4>(pair), i + 16), factor, offset, out + i + 16);
    }
  }
}

/// Blocks of 32: scale, then 32 signed bytes.
void unpack_q8_0(const uint8_t* block, float* out, size_t values) {
  const Ints di;
  for (const float* end = out + values; out != end; out += 32, block += 34) {
    const auto factor = hn::Set(Floats(), half_at(block));
    for (size_t i = 0; i < 32; i += hn::Lanes(di)) {
      const auto bytes = hn::LoadU(SignedBytes(), reinterpret_cast<const int8_t*>(block + 2 + i));
      store_scaled(hn::PromoteTo(di, bytes), factor, out + i);
    }
  }
}

/// Blocks of 256 in two halves of 128: 128 bytes of low nibbles, 64 bytes of upper bit pairs, 16 signed scales for 16
/// values each, scale. In a half, value 32 * part + i takes nibble (part / 2) of byte 32 * (part % 2) + i and bit pair
/// `part` of byte i.
void unpack_q6_k(const uint8_t* block, float* out, size_t values) {
  const Ints di;
  const auto emit = [&](const uint8_t* low, int low_shift, const uint8_t* high, int high_shift, float scale,
                        float* to) HWY_ATTR {
    for (size_t i = 0; i < 16; i += hn::Lanes(di)) {
      const auto nibble = hn::ShiftRightSame(hn::PromoteTo(di, hn::LoadU(Bytes(), low + i)), low_shift);
      const auto bits = hn::ShiftRightSame(hn::PromoteTo(di, hn::LoadU(Bytes(), high + i)), high_shift);
      const auto value = hn::Or(hn::And(nibble, hn::Set(di, 15)), hn::ShiftLeft<4>(hn::And(bits, hn::Set(di, 3))));
      store_scaled(hn::Sub(value, hn::Set(di, 32)), hn::Set(Floats(), scale), to + i);
    }
  };
  for (const float* end = out + values; out != end; out += 256, block += 210) {
    const float scale = half_at(block + 208);
    for (size_t group = 0; group < 16; ++group) {
      const size_t half = group / 8;
      const size_t part = group / 2 % 4;
      const size_t first = group % 2 * 16;
      const auto group_scale = static_cast<float>(static_cast<int8_t>(block[192 + group]));
      emit(block + half * 64 + part % 2 * 32 + first, static_cast<int>(part / 2 * 4), block + 128 + half * 32 + first,
           static_cast<int>(part * 2), scale * group_scale, out + group * 16);
    }
  }
}

void unpack_q4_0(const uint8_t* block, float* out, size_t values) { unpack_nibbles<false, false>(block, out, values); }
void unpack_q4_1(const uint8_t* block, float* out, size_t values) { unpack_nibbles<false, true>(block, out, values); }
void unpack_q5_0(const uint8_t* block, float* out, size_t values) { unpack_nibbles<true, false>(block, out, values); }
void unpack_q5_1(const uint8_t* block, float* out, size_t values) { unpack_nibbles<true, true>(block, out, values); }

}  // namespace kvzip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kvzip {

HWY_EXPORT(unpack_q4_0);
HWY_EXPORT(unpack_q4_1);
HWY_EXPORT(unpack_q5_0);
HWY_EXPORT(unpack_q5_1);
HWY_EXPORT(unpack_q8_0);
HWY_EXPORT(unpack_q6_k);

bool unpack_blocks(DType dtype, const void* row, float* out, size_t values) {
  const auto* blocks = static_cast<const uint8_t*>(row);
  switch (dtype) {
    case DType::q4_0:
      HWY_DYNAMIC_DISPATCH(unpack_q4_0)(blocks, out, values);
      return true;
    case DType::q4_1:
      HWY_DYNAMIC_DISPATCH(unpack_q4_1)(blocks, out, values);
      return true;
    case DType::q5_0:
      HWY_DYNAMIC_DISPATCH(unpack_q5_0)(blocks, out, values);
      return true;
    case DType::q5_1:
      HWY_DYNAMIC_DISPATCH(unpack_q5_1)(blocks, out, values);
      return true;
    case DType::q8_0:
      HWY_DYNAMIC_DISPATCH(unpack_q8_0)(blocks, out, values);
      return true;
    case DType::q6_k:
      HWY_DYNAMIC_DISPATCH(unpack_q6_k)(blocks, out, values);
      return true;
    default:
      return false;
  }
}

}  // namespace kvzip
#endif
