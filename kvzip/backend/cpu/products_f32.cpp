// Attention of many queries in f32, on packed panels: products of 6 query rows with as many columns as registers hold.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kvzip/backend/cpu/products_f32.cpp"
#include <hwy/foreach_target.h>

#include <array>
// Must come after foreach_target.h.
#include "kvzip/backend/cpu/products_softmax-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kvzip::attention::HWY_NAMESPACE {
namespace {

constexpr size_t kMaxVectors = kManyRegisters ? 4 : 2;

#if HWY_TARGET == HWY_SCALAR

void store_transposed(Vector a, Vector b, Vector c, Vector d, float* to) {
  std::ranges::copy(std::array{hn::GetLane(a), hn::GetLane(b), hn::GetLane(c), hn::GetLane(d)}, to);
}

#else

/// Stores the blocks of 4 lanes, each 4 rows of a panel below the one before.
template <class Tag>
HWY_INLINE void store_blocks(Tag tag, hn::Vec<Tag> all, float* to) {
  if constexpr (hn::MaxLanes(tag) > 4) {
    const hn::Half<Tag> half;
    store_blocks(half, hn::LowerHalf(half, all), to);
    store_blocks(half, hn::UpperHalf(half, all), to + hn::MaxLanes(half) * kPanelKeys);
  } else {
    hn::StoreU(all, tag, to);
  }
}

/// Stores four vectors as four neighbouring columns of a panel.
HWY_INLINE void store_transposed(Vector a, Vector b, Vector c, Vector d, float* to) {
  const Floats tag;
  const hn::Repartition<double, Floats> pairs;
  const auto ab = hn::BitCast(pairs, hn::InterleaveLower(tag, a, b));
  const auto cd = hn::BitCast(pairs, hn::InterleaveLower(tag, c, d));
  const auto ab_upper = hn::BitCast(pairs, hn::InterleaveUpper(tag, a, b));
  const auto cd_upper = hn::BitCast(pairs, hn::InterleaveUpper(tag, c, d));
  // Block i of the j-th holds value 4i + j of a, b, c, d.
  store_blocks(tag, hn::BitCast(tag, hn::InterleaveLower(pairs, ab, cd)), to);
  store_blocks(tag, hn::BitCast(tag, hn::InterleaveUpper(pairs, ab, cd)), to + kPanelKeys);
  store_blocks(tag, hn::BitCast(tag, hn::InterleaveLower(pairs, ab_upper, cd_upper)), to + 2 * kPanelKeys);
  store_blocks(tag, hn::BitCast(tag, hn::InterleaveUpper(pairs, ab_upper, cd_upper)), to + 3 * kPanelKeys);
}

#endif

template <class Rows>
void pack_keys_of(const RowBlock& keys, const Rows& from, float* to) {
  const size_t dim = keys.head_dim;
  for (size_t key = 0; key < round_up(keys.count, kPanelKeys); key += 4) {
    from.prefetch_rows(key + kKeysAhead, 4);
    float* columns = to + key / kPanelKeys * padded_dim(dim) * kPanelKeys + key % kPanelKeys;
    for (size_t d = 0; d < dim; d += kLanes) {
      Vector rows[4];
      for (size_t i = 0; i < 4; ++i) {
        const bool exists = key + i < keys.count;
        rows[i] = exists ? from.load_some(key + i, d) : hn::Zero(Floats());
      }
      store_transposed(rows[0], rows[1], rows[2], rows[3], columns + d * kPanelKeys);
    }
  }
}

void pack_keys(const RowBlock& keys, void* to) {
  with_reader(keys, [&](const auto& from) { pack_keys_of(keys, from, static_cast<float*>(to)); });
}

template <class Rows>
void pack_values_of(const RowBlock& values, const Rows& from, float* to) {
  const size_t dim = values.head_dim;
  const size_t width = value_panel(dim);
  for (size_t key = 0; key < values.count; ++key) {
    from.prefetch_rows(key + kKeysAhead, 1);
    for (size_t d = 0; d < dim; d += kLanes) {
      const Vector some = from.load_some(key, d);
      hn::Store(some, Floats(), to + d / width * width * kBlockKeys + key * width + d % width);
    }
  }
}

void pack_values(const RowBlock& values, void* to) {
  with_reader(values, [&](const auto& from) { pack_values_of(values, from, static_cast<float*>(to)); });
}

/// A matrix product of one tile: C `[kTileRows, columns]` = A `[kTileRows, depth]` * B `[depth, columns]` (+ shrink *
/// C).
struct Product {
  const float* a;
  size_t a_stride;
  const float* b;
  size_t b_stride;
  size_t depth;
  float* c;
  size_t c_stride;
  const float* shrink;  ///< `[kTileRows]`, or null where C is only written
};

template <size_t kVectors>
HWY_INLINE void multiply_columns(const Product& product, size_t column) {
  const Floats tag;
  const float* HWY_RESTRICT a = product.a;
  const float* HWY_RESTRICT b = product.b + column;
  float* HWY_RESTRICT c = product.c + column;
  Vector sums[kTileRows][kVectors];
#pragma GCC unroll 6
  for (size_t r = 0; r < kTileRows; ++r) {
#pragma GCC unroll 4
    for (size_t v = 0; v < kVectors; ++v) {
      sums[r][v] = product.shrink == nullptr
                       ? hn::Zero(tag)
                       : hn::Mul(hn::Load(tag, c + r * product.c_stride + v * kLanes), hn::Set(tag, product.shrink[r]));
    }
  }
  for (size_t k = 0; k < product.depth; ++k) {
    Vector row[kVectors];
#pragma GCC unroll 4
    for (size_t v = 0; v < kVectors; ++v) row[v] = hn::Load(tag, b + k * product.b_stride + v * kLanes);
#pragma GCC unroll 6
    for (size_t r = 0; r < kTileRows; ++r) {
      const Vector factor = hn::Set(tag, a[r * product.a_stride + k]);
#pragma GCC unroll 4
      for (size_t v = 0; v < kVectors; ++v) sums[r][v] = hn::MulAdd(factor, row[v], sums[r][v]);
    }
  }
#pragma GCC unroll 6
  for (size_t r = 0; r < kTileRows; ++r) {
#pragma GCC unroll 4
    for (size_t v = 0; v < kVectors; ++v) hn::Store(sums[r][v], tag, c + r * product.c_stride + v * kLanes);
  }
}

/// `columns` is a multiple of 16.
void multiply(const Product& product, size_t columns) {
  size_t column = 0;
  for (; column + kMaxVectors * kLanes <= columns; column += kMaxVectors * kLanes) {
    multiply_columns<kMaxVectors>(product, column);
  }
  for (; column < columns; column += kLanes) multiply_columns<1>(product, column);
}

void attend_tile(const Tile& tile) {
  alignas(64) Logits logits;
  alignas(64) float shrink[kTileRows];
  const size_t head_dim = tile.keys.head_dim;
  const size_t depth = padded_dim(head_dim);
  for (size_t first = tile.begin; first < tile.end; first += kPanelKeys) {
    const float* panel = static_cast<const float*>(tile.keys.data) + first * depth;
    multiply({static_cast<const float*>(tile.queries), depth, panel, kPanelKeys, head_dim, logits + first, kBlockKeys,
              nullptr},
             kPanelKeys);
  }
  softmax(tile, logits, shrink);
  const float* probabilities = static_cast<const float*>(tile.probabilities) + tile.begin;
  const size_t width = value_panel(head_dim);
  for (size_t d = 0; d < head_dim; d += width) {
    const float* panel = static_cast<const float*>(tile.values) + d * kBlockKeys + tile.begin * width;
    multiply({probabilities, kBlockKeys, panel, width, tile.end - tile.begin, tile.out + d, depth, shrink},
             std::min(width, round_up(head_dim - d, 16)));
  }
}

const ProductKernels* f32_kernels() {
  static constexpr ProductKernels kKernels = {"f32 panels", kBlockKeys,  DType::f32, pack_queries,
                                              pack_keys,    pack_values, attend_tile};
  return &kKernels;
}

}  // namespace
}  // namespace kvzip::attention::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kvzip::attention {

HWY_EXPORT(f32_kernels);

const ProductKernels& f32_panel_products() { return *HWY_DYNAMIC_DISPATCH(f32_kernels)(); }

}  // namespace kvzip::attention
#endif
