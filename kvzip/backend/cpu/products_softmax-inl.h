// What the f32 kernels share, once per Highway target: masking and the online softmax. Included by products_rows.cpp
// and products_f32.cpp only.
#include <hwy/highway.h>

#include <algorithm>
#include <limits>

#include "kvzip/backend/cpu/products_rows-inl.h"

// Highway's include guard, which lets each target in once.
#if defined(KVZIP_PRODUCTS_SOFTMAX_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef KVZIP_PRODUCTS_SOFTMAX_INL_H_
#undef KVZIP_PRODUCTS_SOFTMAX_INL_H_
#else
#define KVZIP_PRODUCTS_SOFTMAX_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace kvzip::attention::HWY_NAMESPACE {

/// How far the prefetch of keys runs ahead. The processor's own prefetchers do not follow rows that are read four at a
/// time, nor values read by columns: on Zen 5, one thread reads 22, 12 and 16 GB/s for head_dim 64, 256 and 128
/// without, 27, 24 and 25 with.
inline constexpr size_t kKeysAhead = 16;

/// 2^x for x <= 0, to 1e-8 relative before rounding; exactly 0 below -126.5.
HWY_INLINE Vector exp2_nonpositive(Floats tag, Vector x) {
  const hn::RebindToSigned<Floats> ints;
  x = hn::Max(x, hn::Set(tag, -127.0F));
  const auto whole = hn::NearestInt(x);
  const auto part = hn::Sub(x, hn::ConvertTo(tag, whole));
  // Minimax on [-0.5, 0.5] by Remez exchange of the relative error.
  auto power = hn::MulAdd(part, hn::Set(tag, 0.00015345812F), hn::Set(tag, 0.00133999312F));
  power = hn::MulAdd(power, part, hn::Set(tag, 0.00961848896F));
  power = hn::MulAdd(power, part, hn::Set(tag, 0.0555032878F));
  power = hn::MulAdd(power, part, hn::Set(tag, 0.240226469F));
  power = hn::MulAdd(power, part, hn::Set(tag, 0.693147206F));
  power = hn::MulAdd(power, part, hn::Set(tag, 1.0F));
  // The exponent's bits are the float 2^whole; those of -127 are those of 0.
  return hn::Mul(power, hn::BitCast(tag, hn::ShiftLeft<23>(hn::Add(whole, hn::Set(ints, 127)))));
}

/// Logits of a tile: row r, column c of the block at [r * kBlockKeys + c].
using Logits = float[kTileRows * kBlockKeys];

/// Writes -infinity to what a row does not see of its panels.
inline void mask_row(const Tile& tile, size_t row, float* logits) {
  const Visible all{tile.begin, tile.end};
  const Visible& seen = tile.visible == nullptr ? all : tile.visible[row];
  const float unseen = -std::numeric_limits<float>::infinity();
  for (size_t c = tile.begin; c < seen.begin; ++c) logits[c] = unseen;
  for (size_t c = std::max(tile.begin, seen.end); c < round_up(tile.end, kPanelKeys); ++c) logits[c] = unseen;
}

/// Turns the tile's logits into probabilities relative to the new maximum, raises maximum and sum, and gives the factor
/// by which earlier sums shrink.
HWY_INLINE void softmax(const Tile& tile, Logits& tile_logits, float* HWY_RESTRICT shrink) {
  const Floats tag;
  const size_t end = round_up(tile.end, kPanelKeys);
  for (size_t row = 0; row < tile.rows; ++row) {
    float* HWY_RESTRICT logits = tile_logits + row * kBlockKeys;
    float* HWY_RESTRICT probabilities = static_cast<float*>(tile.probabilities) + row * kBlockKeys;
    mask_row(tile, row, logits);
    Vector high = hn::Set(tag, tile.maximum[row]);
    for (size_t c = tile.begin; c < end; c += kLanes) high = hn::Max(high, hn::Load(tag, logits + c));
    high = hn::MaxOfLanes(tag, high);
    Vector sum = hn::Zero(tag);
    for (size_t c = tile.begin; c < end; c += kLanes) {
      const Vector p = exp2_nonpositive(tag, hn::Sub(hn::Load(tag, logits + c), high));
      sum = hn::Add(sum, p);
      hn::Store(p, tag, probabilities + c);
    }
    shrink[row] = hn::GetLane(exp2_nonpositive(tag, hn::Sub(hn::Set(tag, tile.maximum[row]), high)));
    tile.maximum[row] = hn::GetLane(high);
    tile.sum[row] = tile.sum[row] * shrink[row] + hn::GetLane(hn::SumOfLanes(tag, sum));
  }
}

/// Queries stay f32; the padding is zero.
inline void pack_queries(const float* query, size_t head_dim, float factor, void* to) {
  auto* packed = static_cast<float*>(to);
  std::fill(packed + head_dim, packed + padded_dim(head_dim), 0.0F);
  for (size_t d = 0; d < head_dim; ++d) packed[d] = query[d] * factor;
}

}  // namespace kvzip::attention::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
