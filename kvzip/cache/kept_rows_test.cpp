#include "kvzip/cache/kept_rows.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <random>
#include <set>

#include "kvzip/cache/tail.h"

namespace kvzip {
namespace {

constexpr size_t kHeads = 3;
constexpr size_t kDim = 32;
constexpr size_t kFront = 2;  // rows of the tail before those to take

float score_of(size_t position) { return static_cast<float>(position * 7 % 31); }

// Of the tests that add rows step by step.
constexpr size_t kRows = 400, kStep = 5;
constexpr size_t kMost = 2 * kHeads * kRows;
constexpr size_t kGaps = 2 * 2 * kHeads * 16;  // bytes: each head's rows begin at a multiple of 16

class KeptRowsTest : public testing::TestWithParam<DType> {
 protected:
  std::unique_ptr<Backend> backend_ = make_cpu_backend();
  CacheShape shape_{.kv_heads = kHeads, .head_dim = kDim, .windows = {0, 5, 0}, .dtype = DType::f32};

  /// A tail of `rows` whose values say position and column.
  Tail tail_at(size_t first, size_t rows) {
    Tail tail(*backend_, shape_, first);
    std::vector<float> k, v;
    for (size_t i = 0; i < rows * kHeads * kDim; ++i) {
      k.push_back(static_cast<float>(first * 1000 + i));
      v.push_back(-k.back());
    }
    const auto view = [&](const std::vector<float>& data) {
      return ConstView{data.data(), DType::f32, rows, kHeads * kDim, kHeads * kDim * sizeof(float)};
    };
    for (size_t layer = 0; layer < shape_.layers(); ++layer) tail.append(layer, view(k), view(v));
    return tail;
  }

  /// One row of a tail as the store should hold it.
  std::string stored(const void* row) {
    std::string bytes(padded_row_bytes(GetParam(), kDim), '\0');
    const uint32_t index = 0;
    backend_->gather_rows({row, DType::f32, 1, kDim, kDim * sizeof(float)}, {&index, 1},
                          {bytes.data(), GetParam(), 1, kDim, bytes.size()});
    return bytes;
  }

  KeptRows none_kept(size_t most) {
    CacheShape kept_shape = shape_;
    kept_shape.dtype = GetParam();
    return {*backend_, kept_shape, most};
  }

  /// Adds kRows rows to all heads, or of each head those that join it, kStep at a time; returns how often the last head
  /// of the first layer moved.
  template <class Joins, class After>
  size_t moves_of(KeptRows& kept, const Joins& joins, const After& after) {
    const Tail tail = tail_at(0, kRows);
    size_t moves = 0;
    const auto last = [&] { return kept.segment(0).heads[kHeads - 1].k; };
    for (uint32_t begin = 0; begin < kRows; begin += kStep) {
      std::vector<KeptRows::Change> changes(2 * kHeads);
      for (size_t i = 0; i < changes.size(); ++i) {
        for (uint32_t row = begin; row < begin + kStep; ++row) {
          if (!joins(i, row)) continue;
          changes[i].rows.push_back(row);
          changes[i].positions.push_back(row);
          changes[i].scores.push_back(score_of(row));
        }
      }
      const void* const before = last();
      kept.update(changes, std::array{tail.segment(0), tail.segment(2)});
      moves += static_cast<size_t>(last() != before);
      after();
    }
    return moves;
  }
};

struct Expected {
  std::vector<uint32_t> positions;
  std::vector<std::string> keys, values;
};

TEST_P(KeptRowsTest, HoldsWhatManyRandomChangesLeave) {
  constexpr size_t kFew = 300;  // which some rounds exceed
  KeptRows kept = none_kept(kFew);
  EXPECT_TRUE(kept.empty());
  std::vector<Expected> expected(2 * kHeads);
  std::mt19937 random(3);
  size_t begin = 0;
  for (int round = 0; round < 12; ++round) {
    const size_t rows = 1 + random() % 40;
    const Tail tail = tail_at(begin, kFront + rows);
    std::vector<KeptRows::Change> changes(expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      const size_t layer = i / kHeads * 2, head = i % kHeads;
      const Segment from = tail.segment(layer);
      KeptRows::Change& change = changes[i];
      Expected next;
      // Rounds in which all stay, said in both ways, most stay, and none does.
      const unsigned stay = round % 5 == 4 ? 0 : round % 2 == 0 ? 10 : 7;
      if (stay < 10 || head == 1) change.places.emplace();
      for (size_t place = 0; place < expected[i].positions.size(); ++place) {
        if (random() % 10 >= stay) continue;
        if (change.places) change.places->push_back(static_cast<uint32_t>(place));
        next.positions.push_back(expected[i].positions[place]);
        next.keys.push_back(expected[i].keys[place]);
        next.values.push_back(expected[i].values[place]);
      }
      for (size_t row = 0; row < rows; ++row) {
        if (random() % 3 == 0 || (round == 9 && head == 1)) continue;
        const size_t at = (kFront + row) * kDim;
        change.rows.push_back(static_cast<uint32_t>(kFront + row));
        change.positions.push_back(static_cast<uint32_t>(begin + row));
        change.scores.push_back(score_of(begin + row));
        next.positions.push_back(static_cast<uint32_t>(begin + row));
        next.keys.push_back(stored(static_cast<const float*>(from.heads[head].k) + at));
        next.values.push_back(stored(static_cast<const float*>(from.heads[head].v) + at));
      }
      expected[i] = std::move(next);
    }
    kept.update(changes, std::array{tail.segment(0), tail.segment(2)});
    begin += rows;

    size_t pairs = 0;
    for (size_t i = 0; i < expected.size(); ++i) {
      const Segment segment = kept.segment(i / kHeads * 2);
      const KvRows& held = segment.heads[i % kHeads];
      ASSERT_FALSE(segment.positional);
      ASSERT_EQ(segment.dtype, GetParam());
      ASSERT_EQ(held.len, expected[i].positions.size());
      const auto positions = kept.positions(i / kHeads, i % kHeads);
      ASSERT_TRUE(std::equal(positions.begin(), positions.end(), expected[i].positions.begin()));
      const auto scores = kept.scores(i / kHeads, i % kHeads);
      ASSERT_TRUE(std::ranges::equal(scores, positions, {}, {}, &score_of));
      const size_t row = kept.shape().head_row_bytes();
      for (size_t place = 0; place < held.len; ++place) {
        ASSERT_EQ(std::string(static_cast<const char*>(held.k) + place * row, row), expected[i].keys[place]);
        ASSERT_EQ(std::string(static_cast<const char*>(held.v) + place * row, row), expected[i].values[place]);
      }
      pairs += held.len;
    }
    EXPECT_EQ(kept.pairs(), pairs);
    EXPECT_GE(kept.bytes(), 2 * pairs * kept.shape().head_row_bytes());
  }
  kept.release(0);
  EXPECT_TRUE(kept.positions(0, 0).empty());
  EXPECT_EQ(kept.segment(0).heads[0].len, 0U);
}

// Memory for all rows to come is taken with the first ones.
TEST_P(KeptRowsTest, HeadsThatGrowAlikeNeverMove) {
  KeptRows kept = none_kept(kMost);
  const size_t memory = kMost * 2 * kept.shape().head_row_bytes();
  EXPECT_EQ(moves_of(
                kept, [](size_t, size_t) { return true; },
                [&] {
                  EXPECT_GE(kept.bytes(), memory);
                  EXPECT_LE(kept.bytes(), memory * 33 / 32 + kGaps);
                }),
            1U);
  EXPECT_EQ(kept.pairs(), kMost);

  const Tail tail = tail_at(0, kRows);
  std::vector<KeptRows::Change> changes(2 * kHeads);
  changes[0].places = {0, 7, 399};
  kept.update(changes, std::array{tail.segment(0), tail.segment(2)});
  EXPECT_EQ(kept.pairs(), kMost - kRows + 3);
  EXPECT_EQ(kept.positions(0, 0).back(), 399U);
  EXPECT_EQ(kept.scores(0, 0).back(), score_of(399));
}

/// Every fourth row, and all of one half of them.
bool grows(size_t row, bool later) { return row % 4 == 0 || later == (row >= kRows / 2); }

// Heads that outgrow their share of a layer's memory get more of the same memory.
TEST_P(KeptRowsTest, HeadsMoveWithinTheirLayer) {
  KeptRows kept = none_kept(kMost);
  std::set<const void*> memories;
  const size_t moves = moves_of(
      kept, [](size_t head, size_t row) { return grows(row, head % kHeads == 0); },
      [&] { memories.insert(kept.segment(0).heads[0].k); });
  EXPECT_EQ(memories.size(), 1U);
  EXPECT_GT(moves, 1U);
  EXPECT_LT(moves, kRows / kStep / 2);
}

// A layer that outgrows its share moves into other memory; what that adds to all memory is bounded.
TEST_P(KeptRowsTest, LayersMoveNowAndThen) {
  KeptRows kept = none_kept(kMost);
  const size_t memory = kMost * 2 * kept.shape().head_row_bytes();
  const size_t moves = moves_of(
      kept, [](size_t head, size_t row) { return grows(row, head < kHeads); },
      [&] { EXPECT_LE(kept.bytes(), memory * 9 / 8 + kGaps); });
  EXPECT_LT(kept.pairs(), kMost);
  EXPECT_GT(moves, 1U);
  EXPECT_LT(moves, kRows / kStep / 2);
}

INSTANTIATE_TEST_SUITE_P(Types, KeptRowsTest, testing::Values(DType::f32, DType::q8_0, DType::q4_0),
                         [](const auto& type) { return std::string(dtype_name(type.param)); });

}  // namespace
}  // namespace kvzip
