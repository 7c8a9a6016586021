// Selection against a full sort.
#include "kvzip/backend/cuda/select_scores.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>

#include "kvzip/backend/cuda/device_array_test.h"

namespace kvzip::cuda {
namespace {

float found_at(const std::vector<float>& scores, size_t n) {
  const DeviceArray<float> on_device(scores);
  DeviceArray<float> result(1);
  DeviceArray<std::byte> workspace(nth_highest_workspace_bytes());
  workspace.fill_bytes(0xFF);
  nth_highest(on_device.data(), scores.size(), n, result.data(), workspace.data(), nullptr);
  expect_success(cudaDeviceSynchronize());
  return result.download()[0];
}

/// As scores are: most of them tiny, some near 1.
std::vector<float> skewed_scores(size_t count) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal(-6, 4);
  std::vector<float> scores(count);
  for (float& score : scores) score = std::min(std::exp(normal(random)), 1.0F);
  return scores;
}

TEST(SelectScoresTest, FindsThePlaceOfASort) {
  const std::vector<float> scores = skewed_scores(100003);
  std::vector<float> sorted = scores;
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  for (const size_t n : {0, 1, 29999, 50000, 100002}) EXPECT_EQ(found_at(scores, n), sorted[n]) << "place " << n;
}

TEST(SelectScoresTest, NegativeAndEqualScores) {
  const std::vector<float> scores = {-1, 0.5F, 0.5F, -0.25F, 0, 0.5F};
  const std::vector<float> sorted = {0.5F, 0.5F, 0.5F, 0, -0.25F, -1};
  for (size_t n = 0; n < sorted.size(); ++n) EXPECT_EQ(found_at(scores, n), sorted[n]) << "place " << n;
}

TEST(SelectScoresTest, CountsWhatIsAbove) {
  constexpr size_t kHeads = 7;
  constexpr size_t kLen = 12345;
  const std::vector<float> scores = skewed_scores(kHeads * kLen);
  const float threshold = scores[77];  // itself not above
  const DeviceArray<float> on_device(scores);
  const DeviceArray<float> limit(std::vector<float>{threshold});
  DeviceArray<uint32_t> kept(kHeads);
  kept.fill_bytes(0xFF);
  count_above(on_device.data(), kHeads, kLen, limit.data(), kept.data(), nullptr);
  expect_success(cudaDeviceSynchronize());
  const std::vector<uint32_t> found = kept.download();
  for (size_t head = 0; head < kHeads; ++head) {
    const auto begin = scores.begin() + static_cast<std::ptrdiff_t>(head * kLen);
    const auto above = std::count_if(begin, begin + kLen, [=](float score) { return score > threshold; });
    EXPECT_EQ(found[head], static_cast<uint32_t>(above)) << "head " << head;
  }
}

}  // namespace
}  // namespace kvzip::cuda
