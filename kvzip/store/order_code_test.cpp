#include "kvzip/store/order_code.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "kvzip/base/error.h"
#include "kvzip/base/parallel.h"

namespace kvzip {
namespace {

/// Heads of these lengths with random positions, and ranks that never fall.
RowOrder random_order(const std::vector<uint32_t>& rows, size_t document_len, std::mt19937& random) {
  const uint32_t total = std::accumulate(rows.begin(), rows.end(), 0U);
  RowOrder order;
  for (const uint32_t count : rows) {
    std::vector<uint32_t> positions(document_len);
    std::iota(positions.begin(), positions.end(), 0U);
    std::shuffle(positions.begin(), positions.end(), random);
    positions.resize(count);
    std::vector<uint32_t> ranks(count);
    for (uint32_t& rank : ranks) rank = random() % total;
    std::sort(ranks.begin(), ranks.end());
    order.positions.push_back(positions);
    order.ranks.push_back(ranks);
  }
  return order;
}

RowOrder decoded(const EncodedOrder& encoded, const std::vector<uint32_t>& rows, size_t document_len) {
  return decode_order({encoded.bytes, encoded.head_bytes, rows, document_len, "f"});
}

TEST(OrderCode, ComesBackAsItWas) {
  std::mt19937 random(5);
  for (const size_t len : {1U, 2U, 3U, 64U, 65U, 1000U}) {
    for (int round = 0; round < 20; ++round) {
      std::vector<uint32_t> rows(1 + random() % 7);
      for (uint32_t& count : rows) count = random() % (len + 1);
      rows.back() = len;
      const RowOrder order = random_order(rows, len, random);
      const EncodedOrder encoded = encode_order(order, len);
      const RowOrder back = decoded(encoded, rows, len);
      EXPECT_EQ(back.positions, order.positions);
      EXPECT_EQ(back.ranks, order.ranks);
    }
  }
}

// One head with all the low ranks, another with one row at the far end: steps beyond any number of ones.
TEST(OrderCode, TakesStepsOfAnySize) {
  std::vector<uint32_t> rows = {5000, 2};
  std::mt19937 random(6);
  RowOrder order = random_order(rows, 5000, random);
  std::iota(order.ranks[0].begin(), order.ranks[0].end(), 0U);
  order.ranks[1] = {0, 5001};
  const EncodedOrder encoded = encode_order(order, 5000);
  const RowOrder back = decoded(encoded, rows, 5000);
  EXPECT_EQ(back.ranks, order.ranks);
}

// 12 bits of position and about 8 of rank, where 90 heads share the ranks evenly.
TEST(OrderCode, TakesTwoAndAHalfBytesARow) {
  std::mt19937 random(7);
  const std::vector<uint32_t> rows(90, 4000);
  const RowOrder order = random_order(rows, 4000, random);
  EXPECT_LT(static_cast<double>(encode_order(order, 4000).bytes.size()) / (90 * 4000), 2.55);
}

TEST(OrderCode, RefusesWhatNoEncoderMakes) {
  std::mt19937 random(8);
  const std::vector<uint32_t> rows = {20, 7, 30};
  const RowOrder order = random_order(rows, 33, random);
  const EncodedOrder encoded = encode_order(order, 33);
  const auto refused = [&](const EncodedOrder& changed, const std::vector<uint32_t>& counts, size_t len) {
    EXPECT_THROW(decoded(changed, counts, len), Error);
  };
  for (size_t size = 0; size < encoded.bytes.size(); ++size)
    refused({{encoded.bytes.begin(), encoded.bytes.begin() + size}, encoded.head_bytes}, rows, 33);
  auto longer = encoded;
  longer.bytes.push_back({});
  refused(longer, rows, 33);
  ++longer.head_bytes.back();
  refused(longer, rows, 33);
  refused(encoded, {20, 7, 29}, 33);
  refused(encoded, {20, 7, 4'000'000'000U}, 33);
  refused(encoded, rows, 32);
  RowOrder twice = order;
  twice.positions[1][3] = twice.positions[1][4];
  refused(encode_order(twice, 33), rows, 33);
  RowOrder beyond = order;
  beyond.ranks[2].back() = 57;
  refused(encode_order(beyond, 33), rows, 33);
}

// Where heads begin is no more to be believed than what they hold.
TEST(OrderCode, RefusesHeadsThatEndElsewhere) {
  std::mt19937 random(9);
  const std::vector<uint32_t> rows = {20, 7, 0, 30};
  const RowOrder order = random_order(rows, 33, random);
  const EncodedOrder encoded = encode_order(order, 33);
  EXPECT_EQ(encoded.head_bytes[2], 0U);
  const auto error = [&](std::vector<uint32_t> head_bytes) -> std::string {
    try {
      decoded({encoded.bytes, head_bytes}, rows, 33);
    } catch (const Error& refusal) {
      return refusal.what();
    }
    return "no error";
  };
  EXPECT_EQ(error(encoded.head_bytes), "no error");
  for (size_t from = 0; from < rows.size(); ++from) {
    for (size_t to = 0; to < rows.size(); ++to) {
      for (uint32_t moved = 1; moved <= encoded.head_bytes[from] && from != to; ++moved) {
        std::vector<uint32_t> changed = encoded.head_bytes;
        changed[from] -= moved;
        changed[to] += moved;
        EXPECT_TRUE(error(changed).starts_with("f: damaged: order: ")) << from << " " << to << " " << moved;
      }
    }
  }
  std::vector<uint32_t> huge = encoded.head_bytes;
  huge[1] = 4'294'967'295U;
  EXPECT_EQ(error(huge), "f: damaged: order: heads longer than all of it");
}

TEST(OrderCode, IsTheSameOnAnyNumberOfThreads) {
  std::mt19937 random(10);
  const std::vector<uint32_t> rows(37, 200);
  const RowOrder order = random_order(rows, 200, random);
  const EncodedOrder encoded = encode_order(order, 200);
  for (const size_t threads : {1U, 3U, 8U}) {
    set_thread_count(threads);
    EXPECT_EQ(decoded(encoded, rows, 200).positions, order.positions);
  }
  set_thread_count(0);
}

}  // namespace
}  // namespace kvzip
