#include "kvzip/text/train/word_counts.h"

#include <gtest/gtest.h>

#include <map>

#include "kvzip/text/test_text.h"

namespace kvzip {
namespace {

std::map<std::string, uint64_t> as_map(const WordCounts& counts) {
  std::map<std::string, uint64_t> map;
  for (size_t i = 0; i < counts.size(); ++i) map[std::string(counts[i].text)] += counts[i].count;
  return map;
}

TEST(WordCounts, CountAsAMapDoes) {
  Random random(1);
  WordCounts counts;
  WordCounts half;
  std::map<std::string, uint64_t> expected;
  for (int i = 0; i < 30'000; ++i) {
    const std::string word =
        random.number(50) == 0 ? random.bytes(random.number(40)) : random.of("abc", random.number(9));
    const uint64_t count = 1 + random.number(3);
    expected[word] += count;
    (i % 2 == 0 ? counts : half).add(word, count);
  }
  counts.add_all(half);
  EXPECT_EQ(counts.size(), expected.size());
  EXPECT_TRUE(as_map(counts) == expected);
  uint64_t total = 0;
  for (const auto& [word, count] : expected) total += count;
  EXPECT_EQ(counts.total(), total);
}

TEST(WordCounts, TheMostFrequentComeFirst) {
  WordCounts counts;
  for (const char* word : {"b", "c", "a", "c", "d", "c", "d"}) counts.add(word);
  std::string order;
  for (const uint32_t index : counts.by_frequency()) order += counts[index].text;
  EXPECT_EQ(order, "cdab");
}

TEST(WordCounts, AnEmptyWordIsAWord) {
  WordCounts counts;
  EXPECT_EQ(counts.size(), 0U);
  EXPECT_TRUE(counts.by_frequency().empty());
  counts.add("");
  counts.add("", 2);
  EXPECT_EQ(counts.size(), 1U);
  EXPECT_EQ(counts[0].count, 3U);
}

}  // namespace
}  // namespace kvzip
