// Costs against counts of single rows, keys and values.
#include "kvzip/backend/operation_cost.h"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <vector>

namespace kvzip {
namespace {

ConstView matrix(DType dtype, size_t rows, size_t cols, size_t gap = 0) {
  return {nullptr, dtype, rows, cols, row_bytes(dtype, cols) + gap};
}
View room(DType dtype, size_t rows, size_t cols) { return {nullptr, dtype, rows, cols, row_bytes(dtype, cols)}; }

TEST(OperationCost, LinearReadsWeightsOnceAndSumsTwice) {
  const float some = 1;
  const LinearInput plain(matrix(DType::f32, 3, 10, 4));
  const std::array parts{LinearPart{matrix(DType::bf16, 7, 10), &some, room(DType::f32, 3, 7), false},
                         LinearPart{matrix(DType::bf16, 5, 10), nullptr, room(DType::f32, 3, 5), true}};
  const OperationCost cost = linear_cost(plain, parts);
  EXPECT_EQ(cost.flop, 2 * 3 * 10 * 7 + 3 * 7 + 2 * 3 * 10 * 5 + 3 * 5);
  EXPECT_EQ(cost.bytes, 4 * 30 + 2 * 70 + 4 * 7 + 4 * 21 + 2 * 50 + 2 * 4 * 15);
  const LinearInput normed(matrix(DType::f32, 3, 10), &some, 1e-5F, room(DType::f32, 3, 10));
  const OperationCost with_norm = linear_cost(normed, parts);
  EXPECT_EQ(with_norm.flop, cost.flop + 4 * 30);
  EXPECT_EQ(with_norm.bytes, cost.bytes + 4 * 10);
  const OperationCost gated = gated_linear_cost(plain, parts[0], parts[0]);
  EXPECT_EQ(gated.flop, 2 * (2 * 3 * 70 + 21) + 5 * 21);
  EXPECT_EQ(gated.bytes, 4 * 30 + 2 * (2 * 70 + 4 * 7) + 4 * 21);
}

TEST(OperationCost, QuantisedRowsCountAsTheyAreHeld) {
  EXPECT_EQ(bytes_of(matrix(DType::q8_0, 3, 64, 6)), 3 * 2 * 34);
  EXPECT_EQ(embed_cost(5, matrix(DType::q8_0, 100, 64), matrix(DType::f32, 5, 64)).bytes, 5 * 68 + 5 * 256);
}

TEST(OperationCost, RopeTouchesOnlyWhatItRotates) {
  const OperationCost cost = rope_cost(matrix(DType::f32, 3, 20), 10, matrix(DType::f32, 3, 6));
  EXPECT_EQ(cost.flop, 6 * 3 * 2 * 3);
  EXPECT_EQ(cost.bytes, 2 * 4 * (3 * 2 * 6) + 4 * 18);
}

/// Pairs of queries and keys, and rows that are seen, one by one as backend.h says what is visible.
OperationCost counted(const AttendArgs& args) {
  OperationCost cost{bytes_of(args.q) + bytes_of(args.out), 0};
  const size_t group = args.q.cols / args.head_dim / args.kv_heads;
  for (const Segment& segment : args.segments) {
    for (const KvRows& head : segment.heads) {
      std::set<size_t> rows;
      for (size_t query = 0; query < args.q.rows; ++query) {
        for (size_t row = 0; row < head.len; ++row) {
          const auto distance = static_cast<ptrdiff_t>(args.first_position + query) -
                                static_cast<ptrdiff_t>(segment.first_position + row);
          const bool inside = distance >= 0 && (args.window == 0 || distance < static_cast<ptrdiff_t>(args.window));
          if (segment.positional && !inside) continue;
          rows.insert(row);
          cost.flop += static_cast<double>(4 * args.head_dim * group);
        }
      }
      cost.bytes += static_cast<double>(rows.size() * 2 * row_bytes(segment.dtype, args.head_dim));
    }
  }
  return cost;
}

TEST(OperationCost, AttentionCountsTheKeysThatAreSeen) {
  const std::vector<KvRows> ragged = {{nullptr, nullptr, 5}, {nullptr, nullptr, 17}};
  const std::vector<KvRows> tail = {{nullptr, nullptr, 11}, {nullptr, nullptr, 11}};
  for (const size_t window : {0U, 1U, 3U, 9U, 100U}) {
    for (const size_t first : {0U, 4U, 20U, 24U, 40U}) {
      for (const size_t queries : {1U, 2U, 7U}) {
        const std::array segments{Segment{ragged, DType::f16, false, 0}, Segment{tail, DType::f32, true, 20}};
        AttendArgs args{.q = matrix(DType::f32, queries, 48),
                        .first_position = first,
                        .kv_heads = 2,
                        .head_dim = 8,
                        .window = window,
                        .segments = segments,
                        .out = room(DType::f32, queries, 48)};
        const OperationCost found = attend_cost(args), expected = counted(args);
        EXPECT_EQ(found.flop, expected.flop) << window << ' ' << first << ' ' << queries;
        EXPECT_EQ(found.bytes, expected.bytes) << window << ' ' << first << ' ' << queries;
      }
    }
  }
}

}  // namespace
}  // namespace kvzip
