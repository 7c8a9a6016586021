// Ranking and copying of rows against std::stable_sort and a plain loop.
#include "kvzip/backend/cuda/sort_rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "kvzip/backend/cuda/device_array_test.h"

namespace kvzip::cuda {
namespace {

/// Few different values: many are equal.
std::vector<float> scores_with_ties(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<float> scores(count);
  for (float& score : scores) score = static_cast<float>(random() % 1000) / 999.0F - 0.1F;
  return scores;
}

TEST(SortRowsTest, RanksLikeAStableSort) {
  for (const auto& [heads, len] : {std::pair<size_t, size_t>{1, 1}, {1, 777}, {3, 2830}, {8, 20001}, {5, 64}}) {
    const std::vector<float> scores = scores_with_ties(heads * len, static_cast<uint32_t>(len));
    const DeviceArray<float> on_device(scores);
    DeviceArray<uint32_t> order(heads * len);
    order.fill_bytes(0xFF);
    const DeviceArray<std::byte> workspace(rank_rows_workspace_bytes(heads, len));
    rank_rows(on_device.data(), heads, len, order.data(), workspace.data(), nullptr);
    expect_success(cudaDeviceSynchronize());
    const std::vector<uint32_t> found = order.download();
    for (size_t head = 0; head < heads; ++head) {
      const float* of_head = scores.data() + head * len;
      std::vector<uint32_t> expected(len);
      std::iota(expected.begin(), expected.end(), 0U);
      std::stable_sort(expected.begin(), expected.end(),
                       [&](uint32_t a, uint32_t b) { return of_head[a] > of_head[b]; });
      EXPECT_TRUE(std::equal(expected.begin(), expected.end(), found.begin() + static_cast<std::ptrdiff_t>(head * len)))
          << heads << " heads of " << len << ", head " << head;
    }
  }
}

TEST(SortRowsTest, RanksNothing) { rank_rows(nullptr, 3, 0, nullptr, nullptr, nullptr); }

TEST(SortRowsTest, GathersRowsInOrder) {
  constexpr size_t kHeads = 3;
  constexpr size_t kRows = 501;
  constexpr size_t kLeading = 7;
  std::mt19937 random(1);
  for (const size_t row_bytes : {256, 136, 102, 34}) {
    std::vector<uint32_t> order(kHeads * (kRows - kLeading));
    for (size_t head = 0; head < kHeads; ++head) {
      const auto begin = order.begin() + static_cast<std::ptrdiff_t>(head * (kRows - kLeading));
      std::iota(begin, begin + kRows - kLeading, 0U);
      std::shuffle(begin, begin + kRows - kLeading, random);
    }
    const DeviceArray<uint32_t> on_device(order);
    std::vector<std::vector<uint8_t>> rows(2 * kHeads, std::vector<uint8_t>(kRows * row_bytes));
    std::vector<DeviceArray<uint8_t>> from;
    std::vector<DeviceArray<uint8_t>> to;
    std::vector<KvRows> from_rows;
    std::vector<KvRows> to_rows;
    const size_t kept[kHeads] = {kRows, kLeading + 10, 3};
    for (size_t i = 0; i < 2 * kHeads; ++i) {
      for (uint8_t& byte : rows[i]) byte = static_cast<uint8_t>(random());
      from.emplace_back(rows[i]);
      to.emplace_back(kRows * row_bytes);
      to.back().fill_bytes(0);
    }
    for (size_t head = 0; head < kHeads; ++head) {
      from_rows.push_back({from[2 * head].data(), from[2 * head + 1].data(), kRows});
      to_rows.push_back({to[2 * head].data(), to[2 * head + 1].data(), kept[head]});
    }
    gather_in_order({from_rows, to_rows, on_device.data(), kRows - kLeading, kLeading, row_bytes}, nullptr);
    expect_success(cudaDeviceSynchronize());
    for (size_t i = 0; i < 2 * kHeads; ++i) {
      std::vector<uint8_t> expected(kRows * row_bytes);
      for (size_t row = 0; row < kept[i / 2]; ++row) {
        const size_t source = row < kLeading ? row : kLeading + order[i / 2 * (kRows - kLeading) + row - kLeading];
        std::copy_n(rows[i].begin() + static_cast<std::ptrdiff_t>(source * row_bytes), row_bytes,
                    expected.begin() + static_cast<std::ptrdiff_t>(row * row_bytes));
      }
      EXPECT_EQ(to[i].download(), expected) << "rows of " << row_bytes << " bytes, array " << i;
    }
  }
}

}  // namespace
}  // namespace kvzip::cuda
