#include "kvzip/policy/kept_pairs.h"

#include <gtest/gtest.h>

#include <random>

#include "kvzip/base/error.h"

namespace kvzip {
namespace {

TEST(KeptPairs, AreTheBestOfEachHeadWithTiesInReadingOrder) {
  std::mt19937 random(3);
  Scores scores(2, 3, 29);
  for (float& value : scores.values) value = static_cast<float>(random() % 7);  // many ties
  Keep keep{2, 3, 29, {0, 1, 7, 15, 28, 29}};
  const auto mask = kept_mask(scores, keep);
  for (size_t head = 0; head < 6; ++head) {
    const auto row = scores.row(head / 3, head % 3);
    for (size_t i = 0; i < row.size(); ++i) {
      size_t better = 0;  // pairs that go before this one
      for (size_t other = 0; other < row.size(); ++other) {
        better += row[other] > row[i] || (row[other] == row[i] && other < i) ? 1 : 0;
      }
      EXPECT_EQ(mask[head * 29 + i], better < keep.rows[head] ? 1 : 0);
    }
  }
}

TEST(KeptPairs, InCommonAreCountedAgainstTheReference) {
  const std::vector<uint8_t> kept = {1, 1, 0, 0, 1}, reference = {1, 0, 1, 0, 1}, none(5);
  EXPECT_DOUBLE_EQ(share_in_common(kept, reference), 2.0 / 3);
  EXPECT_EQ(share_in_common(reference, reference), 1);
  EXPECT_EQ(share_in_common(none, reference), 0);
  EXPECT_EQ(share_in_common(kept, none), 1);
  EXPECT_THROW(share_in_common(kept, std::vector<uint8_t>(4)), Error);
}

}  // namespace
}  // namespace kvzip
