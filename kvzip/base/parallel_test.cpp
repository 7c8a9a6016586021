#include "kvzip/base/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <set>
#include <stdexcept>
#include <vector>

#include "kvzip/base/parallel_each.h"

namespace kvzip {
namespace {

/// Puts back the number of threads that the other tests of this program use.
class Parallel : public testing::Test {
 protected:
  void TearDown() override { set_thread_count(0); }
};

TEST_F(Parallel, RangesCoverEveryItemOnce) {
  for (const size_t threads : {1U, 2U, 3U, 7U}) {
    set_thread_count(threads);
    EXPECT_EQ(thread_count(), threads);
    for (const size_t count : {0U, 1U, 2U, 5U, 64U, 1001U}) {
      for (const size_t grain : {0U, 1U, 3U, 64U, 5000U}) {
        std::vector<std::atomic<int>> visits(count);
        std::atomic<size_t> ranges{0};
        parallel_ranges(count, grain, [&](size_t begin, size_t end) {
          ++ranges;
          for (size_t i = begin; i < end; ++i) ++visits[i];
        });
        for (size_t i = 0; i < count; ++i)
          ASSERT_EQ(visits[i], 1) << count << " items, grain " << grain << ", item " << i;
        const bool small = count > 0 && count < 2 * grain;
        EXPECT_LE(ranges, small ? 1 : threads) << "small loops stay on one thread";
      }
    }
  }
}

TEST_F(Parallel, RunGivesEveryThreadItsNumber) {
  for (const size_t threads : {0U, 1U, 2U, 5U}) {
    std::mutex mutex;
    std::multiset<size_t> seen;
    parallel_run(threads, [&](size_t thread) {
      const std::scoped_lock lock(mutex);
      seen.insert(thread);
    });
    std::multiset<size_t> expected;
    for (size_t i = 0; i < std::max<size_t>(threads, 1); ++i) expected.insert(i);
    EXPECT_EQ(seen, expected);
  }
}

TEST_F(Parallel, EachTakesEveryItemOnce) {
  for (const size_t threads : {1U, 2U, 7U}) {
    set_thread_count(threads);
    for (const size_t count : {0U, 1U, 5U, 1001U}) {
      std::vector<std::atomic<int>> visits(count);
      parallel_each(count, [&](size_t i) { ++visits[i]; });
      for (size_t i = 0; i < count; ++i) ASSERT_EQ(visits[i], 1) << count << " items, item " << i;
    }
  }
}

TEST_F(Parallel, EachPassesOnWhatABodyThrows) {
  for (const size_t threads : {1U, 2U, 7U}) {
    set_thread_count(threads);
    for (const size_t bad : {0U, 3U, 99U}) {
      const auto body = [&](size_t i) {
        if (i == bad) throw std::runtime_error(std::to_string(i));
      };
      try {
        parallel_each(100, body);
        ADD_FAILURE() << "nothing thrown";
      } catch (const std::runtime_error& error) {
        EXPECT_EQ(error.what(), std::to_string(bad));
      }
    }
    EXPECT_THROW(parallel_each(100, [](size_t) { throw std::runtime_error("all"); }), std::runtime_error);
  }
}

TEST_F(Parallel, ZeroThreadsMeansOnePerCore) {
  set_thread_count(3);
  set_thread_count(0);
  EXPECT_EQ(thread_count(), static_cast<size_t>(omp_get_num_procs()));
}

}  // namespace
}  // namespace kvzip
