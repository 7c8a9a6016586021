// Reading rows of the cache as f32 vectors, whatever their dtype, once per Highway target. Included by
// products_softmax-inl.h only.
//
// A reader names some rows: `columns()` of them hold values or padding, kStep columns lie in one group, and a group
// loads any of its vectors. Blocks of 32 values are decoded in registers, never into memory.
#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <algorithm>

#include "kvzip/backend/cpu/products.h"

// Highway's include guard, which lets each target in once.
#if defined(KVZIP_PRODUCTS_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef KVZIP_PRODUCTS_ROWS_INL_H_
#undef KVZIP_PRODUCTS_ROWS_INL_H_
#else
#define KVZIP_PRODUCTS_ROWS_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace kvzip::attention::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// At most 16 lanes, so that a vector never spans the two nibble halves of a block of 32.
using Floats = hn::CappedTag<float, 16>;
using Vector = hn::Vec<Floats>;

inline constexpr size_t kLanes = hn::MaxLanes(Floats());
/// AVX2 and older have 16 vector registers, all others 32.
inline constexpr bool kManyRegisters = !HWY_ARCH_X86 || HWY_TARGET <= HWY_AVX3;
/// Values of a block of q8_0 and q4_0.
inline constexpr size_t kBlockValues = 32;

/// Asks for memory that is needed soon. It may lie beyond the rows: asking never faults.
HWY_INLINE void prefetch(const void* from, size_t bytes) {
  for (size_t i = 0; i < bytes; i += 64) hwy::Prefetch(static_cast<const std::byte*>(from) + i);
}

HWY_INLINE Vector load_f32(Floats tag, const float* from) { return hn::LoadU(tag, from); }

/// f16 or bf16.
template <class T>
HWY_INLINE Vector load_f32(Floats tag, const T* from) {
  return hn::PromoteTo(tag, hn::LoadU(hn::Rebind<T, Floats>(), from));
}

/// Rows of f32, f16 or bf16.
template <class T>
class PlainRows {
 public:
  static constexpr size_t kStep = kLanes;
  static constexpr size_t kKeysAtOnce = 4;
  struct Group {
    const T* values;
    HWY_INLINE Vector load(size_t at) const { return load_f32(Floats(), values + at); }
  };

  explicit PlainRows(const RowBlock& rows) : first_(static_cast<const T*>(rows.data)), dim_(rows.head_dim) {}
  size_t columns() const { return dim_; }
  /// The group that holds a column; `at` of its load() counts from the group's first.
  HWY_INLINE Group group(size_t row, size_t column) const { return {first_ + row * dim_ + column / kStep * kStep}; }
  HWY_INLINE void prefetch_rows(size_t row, size_t count) const {
    prefetch(first_ + row * dim_, count * dim_ * sizeof(T));
  }
  /// A vector of a row whose head_dim may be any number; zeros after the last value.
  HWY_INLINE Vector load_some(size_t row, size_t column) const {
    const T* from = first_ + row * dim_ + column;
    if (column + kLanes <= dim_) return load_f32(Floats(), from);
    T values[kLanes] = {};
    std::copy(from, from + (dim_ - column), values);
    return load_f32(Floats(), values);
  }

 private:
  const T* first_;
  size_t dim_;
};

/// The factor that a block begins with.
HWY_INLINE float block_scale(const uint8_t* block) {
  const hn::CappedTag<float, 1> one;
  const hn::Rebind<hwy::float16_t, decltype(one)> half;
  return hn::GetLane(hn::PromoteTo(one, hn::LoadU(half, reinterpret_cast<const hwy::float16_t*>(block))));
}

/// A block of q8_0: scale, then 32 signed bytes.
struct GroupQ8 {
  static constexpr size_t kBytes = 34;
  const uint8_t* block;
  Vector scale;

  static HWY_INLINE GroupQ8 open(const uint8_t* block) { return {block, hn::Set(Floats(), block_scale(block))}; }
  HWY_INLINE Vector load(size_t at) const {
    const hn::RebindToSigned<Floats> ints;
    const auto bytes = hn::LoadU(hn::Rebind<int8_t, Floats>(), reinterpret_cast<const int8_t*>(block + 2 + at));
    return hn::Mul(hn::ConvertTo(Floats(), hn::PromoteTo(ints, bytes)), scale);
  }
};

/// A block of q4_0: scale, then 16 bytes: byte i holds value i in its low half and value i + 16 in its high half, each
/// plus 8.
struct GroupQ4 {
  static constexpr size_t kBytes = 18;
  const uint8_t* block;
  Vector scale;
  Vector offset;

  static HWY_INLINE GroupQ4 open(const uint8_t* block) {
    const float factor = block_scale(block);
    return {block, hn::Set(Floats(), factor), hn::Set(Floats(), -8 * factor)};
  }
  HWY_INLINE Vector load(size_t at) const {
    const hn::RebindToSigned<Floats> ints;
    const auto pair = hn::PromoteTo(ints, hn::LoadU(hn::Rebind<uint8_t, Floats>(), block + 2 + at % 16));
    const auto nibble = at < 16 ? hn::And(pair, hn::Set(ints, 15)) : hn::ShiftRight<4>(pair);
    return hn::MulAdd(hn::ConvertTo(Floats(), nibble), scale, offset);
  }
};

/// Rows of blocks, padded with zeros to whole ones.
template <class Block>
class BlockRows {
 public:
  static constexpr size_t kStep = kBlockValues;
  static constexpr size_t kKeysAtOnce = kManyRegisters ? 4 : 2;
  using Group = Block;

  explicit BlockRows(const RowBlock& rows)
      : first_(static_cast<const uint8_t*>(rows.data)),
        columns_(round_up(rows.head_dim, kBlockValues)),
        bytes_(columns_ / kBlockValues * Block::kBytes) {}
  size_t columns() const { return columns_; }
  HWY_INLINE Group group(size_t row, size_t column) const {
    return Group::open(first_ + row * bytes_ + column / kBlockValues * Block::kBytes);
  }
  HWY_INLINE void prefetch_rows(size_t row, size_t count) const { prefetch(first_ + row * bytes_, count * bytes_); }
  HWY_INLINE Vector load_some(size_t row, size_t column) const {
    return group(row, column).load(column % kBlockValues);
  }

 private:
  const uint8_t* first_;
  size_t columns_;
  size_t bytes_;
};

/// Calls body(reader) with the one that belongs to rows.dtype.
template <class Body>
HWY_INLINE void with_reader(const RowBlock& rows, const Body& body) {
  switch (rows.dtype) {
    case DType::f32:
      return body(PlainRows<float>(rows));
    case DType::f16:
      return body(PlainRows<hwy::float16_t>(rows));
    case DType::q8_0:
      return body(BlockRows<GroupQ8>(rows));
    case DType::q4_0:
      return body(BlockRows<GroupQ4>(rows));
    default:
      return body(PlainRows<hwy::bfloat16_t>(rows));
  }
}

}  // namespace kvzip::attention::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
