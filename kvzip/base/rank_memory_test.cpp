// Ranks that meet and hand bytes around, as threads and as forked processes.
#include "kvzip/base/rank_memory.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <thread>
#include <vector>

#include "kvzip/base/error.h"

namespace kvzip {
namespace {

std::vector<std::byte> some_bytes(size_t count, size_t rank, size_t round) {
  std::vector<std::byte> bytes(count);
  for (size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>((i * 7 + rank * 31 + round * 5) % 251);
  return bytes;
}

/// What all ranks' some_bytes() are one behind the other.
std::vector<std::byte> bytes_of_all(size_t ranks, size_t count, size_t round) {
  std::vector<std::byte> all;
  for (size_t rank = 0; rank < ranks; ++rank) {
    const std::vector<std::byte> part = some_bytes(count, rank, round);
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

bool gathers_all(RankMemory& memory, size_t rank) {
  const size_t counts[] = {1, 0, 1000, RankMemory::kSlotBytes, 2 * RankMemory::kSlotBytes + 13, 5, 5, 5};
  size_t round = 0;
  for (const size_t count : counts) {
    std::vector<std::byte> all(memory.ranks() * count);
    memory.gather(rank, some_bytes(count, rank, round), all);
    if (all != bytes_of_all(memory.ranks(), count, round)) return false;
    ++round;
  }
  return true;
}

TEST(RankMemoryTest, ThreadsGatherWhatAllOfThemHave) {
  for (const size_t ranks : {1, 2, 5}) {
    RankMemory memory(ranks);
    std::vector<int> right(ranks);
    std::vector<std::thread> threads;
    for (size_t rank = 0; rank < ranks; ++rank)
      threads.emplace_back([&, rank] { right[rank] = gathers_all(memory, rank) ? 1 : 0; });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(right, std::vector<int>(ranks, 1));
  }
}

TEST(RankMemoryTest, SoDoProcesses) {
  RankMemory memory(3);
  std::vector<pid_t> children;
  for (size_t rank = 1; rank < 3; ++rank) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(gathers_all(memory, rank) ? 0 : 1);
    children.push_back(child);
  }
  EXPECT_TRUE(gathers_all(memory, 0));
  for (const pid_t child : children) {
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
}

TEST(RankMemoryTest, AFailureEndsTheOthersWaitAndTheFirstIsKept) {
  RankMemory memory(2);
  EXPECT_FALSE(memory.failure());
  std::thread waiting([&] {
    try {
      memory.meet();
      ADD_FAILURE() << "nobody else came";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::cancelled);
    }
  });
  const std::string line(3000, 'x');
  memory.fail(7, line);
  memory.fail(8, "later");
  waiting.join();
  ASSERT_TRUE(memory.failure());
  EXPECT_EQ(memory.failure()->code, 7);
  EXPECT_EQ(memory.failure()->line, line.substr(0, 1000));
}

}  // namespace
}  // namespace kvzip
