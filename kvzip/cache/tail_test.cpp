#include "kvzip/cache/tail.h"

#include <gtest/gtest.h>

#include <random>

#include "kvzip/base/error.h"

namespace kvzip {
namespace {

constexpr size_t kHeads = 3;
constexpr size_t kDim = 8;

/// Keys and values of the position in every number, so that misplaced rows show.
struct Rows {
  std::vector<float> k, v;
  Rows(size_t first_position, size_t tokens) {
    for (size_t i = 0; i < tokens; ++i) {
      for (size_t column = 0; column < kHeads * kDim; ++column) {
        k.push_back(static_cast<float>((first_position + i) * 1000 + column));
        v.push_back(-k.back());
      }
    }
  }
  ConstView keys() const { return view(k); }
  ConstView values() const { return view(v); }

 private:
  static ConstView view(const std::vector<float>& data) {
    return {data.data(), DType::f32, data.size() / (kHeads * kDim), kHeads * kDim, kHeads * kDim * sizeof(float)};
  }
};

class TailTest : public testing::Test {
 protected:
  std::unique_ptr<Backend> backend_ = make_cpu_backend();
  CacheShape shape_{.kv_heads = kHeads, .head_dim = kDim, .windows = {0, 5}, .dtype = DType::f32};

  void append(Tail& tail, size_t tokens) {
    const Rows rows(tail.end_position(), tokens);
    for (size_t layer = 0; layer < shape_.layers(); ++layer) tail.append(layer, rows.keys(), rows.values());
  }

  static void expect_rows(const Segment& segment, size_t end) {
    for (size_t h = 0; h < kHeads; ++h) {
      const KvRows& head = segment.heads[h];
      ASSERT_EQ(segment.first_position + head.len, end);
      for (size_t row = 0; row < head.len; ++row) {
        for (size_t d = 0; d < kDim; ++d) {
          const auto expected = static_cast<float>((segment.first_position + row) * 1000 + h * kDim + d);
          ASSERT_EQ(static_cast<const float*>(head.k)[row * kDim + d], expected);
          ASSERT_EQ(static_cast<const float*>(head.v)[row * kDim + d], -expected);
        }
      }
    }
  }
};

TEST_F(TailTest, KeepsAllRowsOfGlobalLayersAndTheWindowOfSlidingOnes) {
  Tail tail(*backend_, shape_, 10);
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    append(tail, 1 + random() % 9);
    expect_rows(tail.segment(0), tail.end_position());
    EXPECT_EQ(tail.segment(0).first_position, 10U);
    expect_rows(tail.segment(1), tail.end_position());
    // The next query sees window - 1 = 4 rows before it.
    EXPECT_GE(tail.segment(1).heads[0].len, std::min<size_t>(4, tail.end_position() - 10));
  }
  EXPECT_LE(tail.segment(1).heads[0].len, 1024U);  // bounded, however long the tail
}

TEST_F(TailTest, ReservedTailsHoldTheWindowOnly) {
  Tail tail(*backend_, shape_, 0);
  tail.reserve(1000, 10);
  for (int batch = 0; batch < 100; ++batch) append(tail, 10);
  EXPECT_EQ(tail.segment(0).heads[0].len, 1000U);
  EXPECT_LE(tail.segment(1).heads[0].len, 15U);
  expect_rows(tail.segment(1), 1000);
}

TEST_F(TailTest, TruncateDropsTheLatestRows) {
  Tail tail(*backend_, shape_, 0);
  append(tail, 7);
  const Rows extra(7, 3);
  tail.append(0, extra.keys(), extra.values());  // a pass that stops after the first layer
  tail.truncate(7);
  expect_rows(tail.segment(0), 7);
  expect_rows(tail.segment(1), 7);
  append(tail, 2);
  expect_rows(tail.segment(0), 9);
  expect_rows(tail.segment(1), 9);
}

TEST_F(TailTest, CopiesRowsOfAnotherTail) {
  Tail from(*backend_, shape_, 0);
  append(from, 23);
  Tail to(*backend_, shape_, 0);
  to.append_rows(0, from, 0, 3);
  to.append_rows(0, from, 9, 14);
  const Segment all = from.segment(0), copied = to.segment(0);
  for (size_t h = 0; h < kHeads; ++h) {
    ASSERT_EQ(copied.heads[h].len, 17U);
    for (size_t row = 0; row < 17; ++row) {
      const size_t source = row < 3 ? row : row + 6;
      for (size_t d = 0; d < kDim; ++d) {
        EXPECT_EQ(static_cast<const float*>(copied.heads[h].k)[row * kDim + d],
                  static_cast<const float*>(all.heads[h].k)[source * kDim + d]);
        EXPECT_EQ(static_cast<const float*>(copied.heads[h].v)[row * kDim + d],
                  static_cast<const float*>(all.heads[h].v)[source * kDim + d]);
      }
    }
  }
  EXPECT_EQ(to.segment(1).heads[0].len, 0U);
  EXPECT_THROW(to.append_rows(0, from, 20, 4), Error);
}

TEST_F(TailTest, AContinuationLiesBehindTheRowsWhileItFits) {
  Tail tail(*backend_, shape_, 3);
  tail.reserve(20, 20);
  append(tail, 13);
  for (int round = 0; round < 2; ++round) {  // a second one overwrites the first one's rows and nothing else
    Tail next = tail.continuation();
    EXPECT_EQ(next.end_position(), 16U);
    append(next, 6);
    expect_rows(next.segment(0), 22);
    expect_rows(next.segment(1), 22);
    for (size_t h = 0; h < kHeads; ++h) {
      const KvRows& before = tail.segment(0).heads[h];
      EXPECT_EQ(next.segment(0).heads[h].k, static_cast<float*>(before.k) + 13 * kDim);
      EXPECT_EQ(next.segment(0).heads[h].v, static_cast<float*>(before.v) + 13 * kDim);
    }
    append(next, 5);  // more than there is room for: it moves
    expect_rows(next.segment(0), 27);
    expect_rows(tail.segment(0), 16);
    expect_rows(tail.segment(1), 16);
  }
}

TEST_F(TailTest, DropsRowsBetweenTheFrontAndWhatStays) {
  struct Case {
    size_t dropped, stay;
  };
  for (const Case& each : {Case{9, 0}, Case{9, 9}, Case{9, 4}, Case{4, 9}, Case{1, 5}}) {
    const size_t held = 3 + each.dropped + each.stay;
    Tail tail(*backend_, shape_, 0);
    tail.reserve(held + each.dropped, each.dropped);
    append(tail, held);
    const void* const memory = tail.segment(0).heads[0].k;
    for (size_t end = held; end < 60; end += each.dropped) {
      tail.drop_rows(3, each.dropped);
      EXPECT_EQ(tail.end_position(), end);
      EXPECT_EQ(tail.segment(0).first_position, end - 3 - each.stay);
      ASSERT_EQ(tail.segment(0).heads[0].len, 3U + each.stay);
      expect_rows(tail.segment(1), end);  // a sliding layer's window goes on
      append(tail, each.dropped);
      const Segment rows = tail.segment(0);
      EXPECT_EQ(rows.heads[0].k, memory);  // no new memory for each chunk
      for (size_t h = 0; h < kHeads; ++h) {
        ASSERT_EQ(rows.heads[h].len, held);
        for (size_t row = 0; row < held; ++row) {
          const size_t position = row < 3 ? row : end + each.dropped + row - held;
          const auto expected = static_cast<float>(position * 1000 + h * kDim);
          EXPECT_EQ(static_cast<const float*>(rows.heads[h].k)[row * kDim], expected);
          EXPECT_EQ(static_cast<const float*>(rows.heads[h].v)[row * kDim], -expected);
        }
      }
    }
  }
}

TEST_F(TailTest, CountsBytesOfRowsHeld) {
  Tail tail(*backend_, shape_, 0);
  append(tail, 4);
  EXPECT_EQ(tail.bytes(), 2U * 2 * kHeads * 4 * kDim * sizeof(float));
}

}  // namespace
}  // namespace kvzip
