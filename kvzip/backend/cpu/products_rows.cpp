// Attention of few queries, straight on the rows of the cache: every row is read and converted once for up to 6 query
// rows (one KV head's group), so that memory sets the pace.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kvzip/backend/cpu/products_rows.cpp"
#include <hwy/foreach_target.h>

#include <array>
#include <type_traits>
// Must come after foreach_target.h.
#include "kvzip/backend/cpu/products_softmax-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kvzip::attention::HWY_NAMESPACE {
namespace {

/// Query rows of one pass over a block: their sums for 4 keys, or for 4 vectors of values, stay in registers.
constexpr size_t kPassRows = kManyRegisters ? 6 : 3;
constexpr size_t kValueVectors = 4;
static_assert(kPassRows <= kTileRows);
/// So many rows of keys and of values stay in the first-level cache between the passes.
constexpr size_t kRowBlockKeys = 128;

#if HWY_TARGET == HWY_SCALAR

void store_sums(Vector a, Vector b, Vector c, Vector d, float* to) {
  std::ranges::copy(std::array{hn::GetLane(a), hn::GetLane(b), hn::GetLane(c), hn::GetLane(d)}, to);
}

#else

/// Adds up the blocks of 4 lanes and stores the 4 sums.
template <class Tag>
HWY_INLINE void store_sum_of_blocks(Tag tag, hn::Vec<Tag> all, float* to) {
  if constexpr (hn::MaxLanes(tag) > 4) {
    const hn::Half<Tag> half;
    store_sum_of_blocks(half, hn::Add(hn::LowerHalf(half, all), hn::UpperHalf(half, all)), to);
  } else {
    hn::StoreU(all, tag, to);
  }
}

/// Stores the sums of the lanes of four vectors.
HWY_INLINE void store_sums(Vector a, Vector b, Vector c, Vector d, float* to) {
  const Floats tag;
  const hn::Repartition<double, Floats> pairs;
  const Vector ab = hn::Add(hn::InterleaveLower(tag, a, b), hn::InterleaveUpper(tag, a, b));
  const Vector cd = hn::Add(hn::InterleaveLower(tag, c, d), hn::InterleaveUpper(tag, c, d));
  const auto low = hn::InterleaveLower(pairs, hn::BitCast(pairs, ab), hn::BitCast(pairs, cd));
  const auto high = hn::InterleaveUpper(pairs, hn::BitCast(pairs, ab), hn::BitCast(pairs, cd));
  // Each block of 4 lanes: parts of a, b, c, d.
  store_sum_of_blocks(tag, hn::Add(hn::BitCast(tag, low), hn::BitCast(tag, high)), to);
}

#endif

/// to[r * kBlockKeys + j] = queries[r] . keys[first_key + j] for kRows queries and 4 keys.
template <size_t kRows, class Rows>
HWY_INLINE void multiply_four_keys(const float* queries, const Rows& keys, size_t first_key, float* to) {
  constexpr size_t kKeys = Rows::kKeysAtOnce;
  const Floats tag;
  const size_t query_stride = padded_dim(keys.columns());
  Vector sums[kRows][4];
  for (auto& row : sums) std::fill(row, row + 4, hn::Zero(tag));
#pragma GCC unroll 4
  for (size_t first = 0; first < 4; first += kKeys) {
    for (size_t d = 0; d < keys.columns(); d += Rows::kStep) {
      typename Rows::Group groups[kKeys];
#pragma GCC unroll 4
      for (size_t j = 0; j < kKeys; ++j) groups[j] = keys.group(first_key + first + j, d);
#pragma GCC unroll 4
      for (size_t at = 0; at < Rows::kStep; at += kLanes) {
        Vector key[kKeys];
#pragma GCC unroll 4
        for (size_t j = 0; j < kKeys; ++j) key[j] = groups[j].load(at);
#pragma GCC unroll 6
        for (size_t r = 0; r < kRows; ++r) {
          const Vector q = hn::Load(tag, queries + r * query_stride + d + at);
#pragma GCC unroll 4
          for (size_t j = 0; j < kKeys; ++j) sums[r][first + j] = hn::MulAdd(q, key[j], sums[r][first + j]);
        }
      }
    }
  }
#pragma GCC unroll 6
  for (size_t r = 0; r < kRows; ++r) {
    store_sums(sums[r][0], sums[r][1], sums[r][2], sums[r][3], to + r * kBlockKeys);
  }
}

template <class Rows>
float dot(const float* query, const Rows& keys, size_t key) {
  const Floats tag;
  Vector sum = hn::Zero(tag);
  for (size_t d = 0; d < keys.columns(); d += Rows::kStep) {
    const auto group = keys.group(key, d);
#pragma GCC unroll 4
    for (size_t at = 0; at < Rows::kStep; at += kLanes) {
      sum = hn::MulAdd(hn::Load(tag, query + d + at), group.load(at), sum);
    }
  }
  return hn::GetLane(hn::SumOfLanes(tag, sum));
}

/// The logits of rows [first, first + kRows) of the tile.
template <size_t kRows, class Rows>
void compute_logits(const Tile& tile, size_t first, const Rows& keys, const Rows& values, float* logits) {
  const size_t query_stride = padded_dim(tile.keys.head_dim);
  const float* queries = static_cast<const float*>(tile.queries) + first * query_stride;
  float* to = logits + first * kBlockKeys;
  size_t key = tile.begin;
  for (; key + 4 <= tile.end; key += 4) {
    if (first == 0) {
      keys.prefetch_rows(key + kKeysAhead, 4);
      values.prefetch_rows(key, 4);
    }
    multiply_four_keys<kRows>(queries, keys, key, to + key);
  }
  for (; key < tile.end; ++key) {
    for (size_t r = 0; r < kRows; ++r) to[r * kBlockKeys + key] = dot(queries + r * query_stride, keys, key);
  }
}

/// out = out * shrink + probabilities * values, for kVectors vectors of columns from `column` on.
template <size_t kRows, size_t kVectors, class Rows>
HWY_INLINE void add_columns(const Tile& tile, const Rows& values, size_t column, const float* probabilities,
                            const float* shrink, float* out) {
  const Floats tag;
  const size_t out_stride = padded_dim(tile.keys.head_dim);
  // Where the vectors lie in their group: known to the compiler where they fill whole ones.
  const size_t first_at = kVectors * kLanes % Rows::kStep == 0 ? 0 : column % Rows::kStep;
  Vector sums[kRows][kVectors];
#pragma GCC unroll 6
  for (size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (size_t v = 0; v < kVectors; ++v) {
      sums[r][v] = hn::Mul(hn::Load(tag, out + r * out_stride + v * kLanes), hn::Set(tag, shrink[r]));
    }
  }
  for (size_t key = tile.begin; key < tile.end; ++key) {
    Vector row[kVectors];
    typename Rows::Group group;
#pragma GCC unroll 4
    for (size_t v = 0; v < kVectors; ++v) {
      const size_t at = v * kLanes % Rows::kStep;
      if (at == 0) group = values.group(key, column + v * kLanes);
      row[v] = group.load(first_at + at);
    }
#pragma GCC unroll 6
    for (size_t r = 0; r < kRows; ++r) {
      const Vector p = hn::Set(tag, probabilities[r * kBlockKeys + key]);
#pragma GCC unroll 4
      for (size_t v = 0; v < kVectors; ++v) sums[r][v] = hn::MulAdd(p, row[v], sums[r][v]);
    }
  }
#pragma GCC unroll 6
  for (size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (size_t v = 0; v < kVectors; ++v) hn::Store(sums[r][v], tag, out + r * out_stride + v * kLanes);
  }
}

template <size_t kRows, class Rows>
void add_values(const Tile& tile, size_t first, const Rows& values, const float* shrink) {
  float* out = tile.out + first * padded_dim(tile.keys.head_dim);
  const float* p = static_cast<const float*>(tile.probabilities) + first * kBlockKeys;
  size_t d = 0;
  for (; d + kValueVectors * kLanes <= values.columns(); d += kValueVectors * kLanes) {
    add_columns<kRows, kValueVectors>(tile, values, d, p, shrink + first, out + d);
  }
  for (; d < values.columns(); d += kLanes) add_columns<kRows, 1>(tile, values, d, p, shrink + first, out + d);
}

/// Calls body(first row, rows as a constant), for at most kRows rows.
template <size_t kRows, class Body>
HWY_INLINE void with_rows(size_t first, size_t rows, const Body& body) {
  if constexpr (kRows > 1) {
    if (rows < kRows) return with_rows<kRows - 1>(first, rows, body);
  }
  body(first, std::integral_constant<size_t, kRows>());
}

/// Likewise for the passes that cover a tile.
template <class Body>
HWY_INLINE void for_passes(size_t rows, const Body& body) {
  for (size_t first = 0; first < rows; first += kPassRows) with_rows<kPassRows>(first, rows - first, body);
}

void attend_tile(const Tile& tile) {
  alignas(64) Logits logits;
  float shrink[kTileRows];
  with_reader(tile.keys, [&](const auto& keys) {
    const std::decay_t<decltype(keys)> values({tile.values, tile.keys.dtype, tile.keys.count, tile.keys.head_dim});
    for_passes(tile.rows,
               [&](size_t first, auto rows) { compute_logits<rows.value>(tile, first, keys, values, logits); });
    softmax(tile, logits, shrink);
    for_passes(tile.rows, [&](size_t first, auto rows) { add_values<rows.value>(tile, first, values, shrink); });
  });
}

const ProductKernels* row_kernels() {
  static constexpr ProductKernels kKernels = {"f32 rows", kRowBlockKeys, DType::f32, pack_queries,
                                              nullptr,    nullptr,       attend_tile};
  return &kKernels;
}

}  // namespace
}  // namespace kvzip::attention::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kvzip::attention {

HWY_EXPORT(row_kernels);

const ProductKernels& row_products() { return *HWY_DYNAMIC_DISPATCH(row_kernels)(); }

}  // namespace kvzip::attention
#endif
