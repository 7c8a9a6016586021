#include "kvzip/cache/context.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <tuple>

#include "kvzip/base/error.h"

namespace kvzip {
namespace {

constexpr size_t kHeads = 2;
constexpr size_t kGroup = 3;
constexpr size_t kDim = 16;
constexpr size_t kSystem = 5;
constexpr size_t kDocument = 83;
constexpr size_t kWindow = 12;

class ContextTest : public testing::Test {
 protected:
  ContextTest() {
    backend_->set_precision(Precision::exact);
    for (float& value : scores_.values) value = std::floor(uniform() * 40) / 40;  // with ties
    for (size_t layer = 0; layer < shape_.layers(); ++layer) {
      keys_.push_back(random_rows(kSystem + kDocument, kHeads * kDim));
      values_.push_back(random_rows(kSystem + kDocument, kHeads * kDim));
    }
  }

  float uniform() { return std::uniform_real_distribution<float>(0, 1)(random_); }
  std::vector<float> random_rows(size_t rows, size_t cols) {
    std::vector<float> data(rows * cols);
    for (float& value : data) value = 2 * uniform() - 1;
    return data;
  }
  static ConstView view(const std::vector<float>& data, size_t cols) {
    return {data.data(), DType::f32, data.size() / cols, cols, cols * sizeof(float)};
  }

  Tail make_tail() {
    Tail tail(*backend_, shape_, 0);
    for (size_t layer = 0; layer < shape_.layers(); ++layer) {
      tail.append(layer, view(keys_[layer], kHeads * kDim), view(values_[layer], kHeads * kDim));
    }
    return tail;
  }
  Keep keep_with(const std::vector<uint32_t>& rows) const { return {2, kHeads, kDocument, rows}; }
  Keep all() const { return keep_with(std::vector<uint32_t>(4, kDocument)); }
  Context make_context(const Keep& keep, DType dtype = DType::f32) {
    return Context::from_tail(*backend_, make_tail(), kSystem, scores_, keep, dtype);
  }

  /// Positions that a head keeps by the plainest rule: repeatedly the best that is left, the earliest among equals.
  std::vector<bool> kept(size_t scored, size_t head, size_t rows) const {
    const auto row = scores_.row(scored, head);
    std::vector<bool> mask(kDocument);
    for (size_t n = 0; n < rows; ++n) {
      size_t best = kDocument;
      for (size_t i = 0; i < kDocument; ++i) {
        if (!mask[i] && (best == kDocument || row[i] > row[best])) best = i;
      }
      mask[best] = true;
    }
    return mask;
  }

  /// Attention of one query over a layer's rows for which visible(head, row) holds.
  template <class Visible>
  std::vector<float> reference(size_t layer, const std::vector<float>& q, float scale, const Visible& visible) const {
    std::vector<float> out(q.size());
    for (size_t h = 0; h < kHeads * kGroup; ++h) {
      const size_t kv = h / kGroup;
      const auto dot = [&](size_t row) {
        double sum = 0;
        for (size_t d = 0; d < kDim; ++d)
          sum += static_cast<double>(q[h * kDim + d]) * keys_[layer][(row * kHeads + kv) * kDim + d];
        return sum * scale;
      };
      double total = 0;
      std::vector<double> sums(kDim);
      for (size_t row = 0; row < kSystem + kDocument; ++row) {
        if (!visible(kv, row)) continue;
        const double weight = std::exp(dot(row));
        total += weight;
        for (size_t d = 0; d < kDim; ++d) sums[d] += weight * values_[layer][(row * kHeads + kv) * kDim + d];
      }
      for (size_t d = 0; d < kDim; ++d) out[h * kDim + d] = static_cast<float>(sums[d] / total);
    }
    return out;
  }

  std::vector<float> attend(const ContextCut& cut, size_t layer, const std::vector<float>& q, float scale) {
    std::vector<float> out(q.size());
    const Segment segment = cut.segment(layer);
    const size_t width = kHeads * kGroup * kDim;
    backend_->attend({.q = view(q, width),
                      .first_position = kSystem + kDocument,
                      .kv_heads = kHeads,
                      .head_dim = kDim,
                      .scale = scale,
                      .window = shape_.windows[layer],
                      .segments = std::span(&segment, 1),
                      .out = {out.data(), DType::f32, 1, width, width * sizeof(float)},
                      .score = nullptr});
    return out;
  }

  std::mt19937 random_{11};
  std::unique_ptr<Backend> backend_ = make_cpu_backend();
  CacheShape shape_{.kv_heads = kHeads, .head_dim = kDim, .windows = {0, kWindow, 0}, .dtype = DType::f32};
  Scores scores_{2, kHeads, kDocument};
  std::vector<std::vector<float>> keys_, values_;  // per layer, [positions, kv_heads * dim]
};

// The property that the whole design rests on.
TEST_F(ContextTest, AttentionOverACutEqualsAttentionWithTheEvictedPairsMaskedOut) {
  const Context context = make_context(all());
  const std::vector<std::vector<uint32_t>> cuts = {
      {83, 83, 83, 83}, {40, 7, 1, 61}, {0, 83, 5, 0}, {1, 1, 1, 1}, {0, 0, 0, 0}};
  for (const auto& rows : cuts) {
    const ContextCut cut(context, keep_with(rows));
    for (size_t scored = 0; scored < 2; ++scored) {
      const size_t layer = context.scored_layers()[scored];
      const auto q = random_rows(1, kHeads * kGroup * kDim);
      std::vector<std::vector<bool>> masks;
      for (size_t head = 0; head < kHeads; ++head) masks.push_back(kept(scored, head, rows[scored * kHeads + head]));
      const auto expected = reference(
          layer, q, 0.7F, [&](size_t head, size_t row) { return row < kSystem || masks[head][row - kSystem]; });
      const auto out = attend(cut, layer, q, 0.7F);
      for (size_t i = 0; i < out.size(); ++i) ASSERT_NEAR(out[i], expected[i], 1e-5);
    }
  }
}

TEST_F(ContextTest, SlidingLayersKeepTheirWindow) {
  const Context context = make_context(keep_with({3, 3, 3, 3}));
  const auto q = random_rows(1, kHeads * kGroup * kDim);
  const auto expected = reference(1, q, 0.7F, [](size_t, size_t row) { return kSystem + kDocument - row < kWindow; });
  const auto out = attend(ContextCut(context, context.held()), 1, q, 0.7F);
  for (size_t i = 0; i < out.size(); ++i) ASSERT_NEAR(out[i], expected[i], 1e-5);
}

TEST_F(ContextTest, ShrinkingFreesTheRowsBehindAndChangesNothingElse) {
  Context shrunk = make_context(all());
  const size_t full_bytes = shrunk.bytes();
  const Keep keep = keep_with({40, 7, 0, 61});
  shrunk.shrink(keep);
  const Context direct = make_context(keep);
  EXPECT_EQ(shrunk.bytes(), direct.bytes());
  EXPECT_EQ(full_bytes - shrunk.bytes(), 2 * (4 * kDocument - keep.pairs()) * kDim * sizeof(float));
  const ContextCut a(shrunk, keep), b(direct, keep);
  for (size_t layer = 0; layer < shape_.layers(); ++layer) {
    for (size_t h = 0; h < kHeads; ++h) {
      const KvRows left = a.segment(layer).heads[h], right = b.segment(layer).heads[h];
      ASSERT_EQ(left.len, right.len);
      EXPECT_EQ(std::memcmp(left.k, right.k, left.len * kDim * sizeof(float)), 0);
      EXPECT_EQ(std::memcmp(left.v, right.v, left.len * kDim * sizeof(float)), 0);
    }
  }
}

/// Values are within 1 and heads of 16 take one padded block: q8_0 is off by at most 0.51/127 a value, q4_0 by 0.51/8
/// or, at the far end of the other sign, by 1/8. Logits of 16 values at scale 0.7 are then off by little enough for the
/// bounds.
TEST_F(ContextTest, QuantisedRowsAnswerAlmostTheSameInRealBytes) {
  const Keep keep = keep_with({40, 7, 1, 61});
  const Context plain = make_context(keep);
  const size_t rows = plain.bytes() / (2 * kDim * sizeof(float));
  for (const auto& [dtype, row, tolerance] :
       {std::tuple{DType::q8_0, size_t{34}, 0.02F}, {DType::q4_0, size_t{18}, 0.3F}}) {
    Context quantised = make_context(all(), dtype);
    EXPECT_EQ(quantised.shape().dtype, dtype);
    quantised.shrink(keep);
    EXPECT_EQ(quantised.bytes(), 2 * rows * row);
    const ContextCut cut(quantised, keep), exact(plain, keep);
    const Context direct = make_context(keep, dtype);
    for (size_t layer = 0; layer < shape_.layers(); ++layer) {
      const auto q = random_rows(1, kHeads * kGroup * kDim);
      const auto expected = attend(exact, layer, q, 0.7F);
      const auto out = attend(cut, layer, q, 0.7F);
      for (size_t i = 0; i < out.size(); ++i) ASSERT_NEAR(out[i], expected[i], tolerance);
      EXPECT_EQ(attend(ContextCut(direct, keep), layer, q, 0.7F), out);
    }
  }
}

TEST_F(ContextTest, OrderNamesThePositionsOfTheRows) {
  const Context context = make_context(keep_with({10, 20, 30, 40}));
  for (size_t scored = 0; scored < 2; ++scored) {
    for (size_t h = 0; h < kHeads; ++h) {
      const auto order = context.order(scored, h);
      ASSERT_EQ(order.size(), context.held().at(scored, h));
      const auto mask = kept(scored, h, order.size());
      for (const uint32_t position : order) EXPECT_TRUE(mask[position]);
      EXPECT_TRUE(std::is_sorted(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
        return scores_.row(scored, h)[a] > scores_.row(scored, h)[b];
      }));
    }
  }
}

TEST_F(ContextTest, CannotBeCutBeyondWhatItHolds) {
  const Context context = make_context(keep_with({10, 20, 30, 40}));
  EXPECT_THROW(ContextCut(context, keep_with({11, 20, 30, 40})), Error);
  EXPECT_EQ(context.bytes(keep_with({0, 0, 0, 0})), context.bytes() - 2 * 100 * kDim * sizeof(float));
}

// The way over KeptRows, in three pieces of the document, ends in the same bytes as the way from a whole tail.
TEST_F(ContextTest, FromKeptRowsIsFromTheTail) {
  for (const DType dtype : {DType::f32, DType::q8_0}) {
    const Keep keep = keep_with({20, 9, 33, 1});
    const Context expected = make_context(keep, dtype);
    Tail tail = make_tail();
    CacheShape shape = shape_;
    shape.dtype = dtype;
    KeptRows kept(*backend_, shape, keep.pairs());
    std::vector<std::vector<bool>> best;
    for (size_t i = 0; i < keep.rows.size(); ++i) best.push_back(this->kept(i / kHeads, i % kHeads, keep.rows[i] + 5));
    std::vector<KeptRows::Change> changes(best.size());
    const auto update = [&] {
      std::vector<Segment> from;
      for (const size_t layer : shape.global_layers()) from.push_back(tail.segment(layer));
      kept.update(changes, from);
      changes.assign(best.size(), {});
    };
    for (size_t row = 0; row < kDocument; ++row) {
      if (row == kDocument / 3 || row == kDocument / 2) update();
      for (size_t i = 0; i < best.size(); ++i) {
        if (!best[i][row]) continue;
        changes[i].rows.push_back(static_cast<uint32_t>(kSystem + row));
        changes[i].positions.push_back(static_cast<uint32_t>(row));
        changes[i].scores.push_back(scores_.row(i / kHeads, i % kHeads)[row]);
      }
    }
    update();
    const Context context = Context::from_kept(*backend_, std::move(tail), std::move(kept), kSystem, scores_, keep);
    EXPECT_EQ(context.held().rows, expected.held().rows);
    EXPECT_EQ(context.read_tokens(), expected.read_tokens());
    EXPECT_EQ(context.bytes(), expected.bytes());
    const ContextCut ours(context, keep), theirs(expected, keep);
    for (size_t layer = 0; layer < shape.layers(); ++layer) {
      const Segment a = ours.segment(layer), b = theirs.segment(layer);
      EXPECT_EQ(a.positional, b.positional);
      EXPECT_EQ(a.first_position, b.first_position);
      for (size_t h = 0; h < kHeads; ++h) {
        ASSERT_EQ(a.heads[h].len, b.heads[h].len);
        const size_t bytes = a.heads[h].len * shape.head_row_bytes();
        EXPECT_EQ(std::memcmp(a.heads[h].k, b.heads[h].k, bytes), 0);
        EXPECT_EQ(std::memcmp(a.heads[h].v, b.heads[h].v, bytes), 0);
      }
    }
    for (size_t i = 0; i < keep.rows.size(); ++i) {
      const auto a = context.order(i / kHeads, i % kHeads), b = expected.order(i / kHeads, i % kHeads);
      EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin(), b.end()));
    }
  }
}

}  // namespace
}  // namespace kvzip
