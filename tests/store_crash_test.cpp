// Processes that are killed at any moment while they add, remove and collect: every context that is listed is whole,
// and nothing whose addition was acknowledged is lost. KVZIP_CRASH_MOMENTS=2000 makes a long run of it.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <stdexcept>

#include "kvzip/base/error.h"
#include "kvzip/base/parallel.h"
#include "kvzip/store/context_address.h"
#include "kvzip/store/context_file_test_data.h"
#include "kvzip/store/folder_store.h"
#include "tests/test_paths.h"

namespace kvzip {
namespace {

constexpr int kProcesses = 3;
constexpr int kNames = 4;  // pinned contexts of each process
constexpr int kDefaultMoments = 60;

/// What a process knows of a context: what it was told, or that it was told nothing yet.
enum Known : int { absent, present, unknown };

/// Shared with the processes, so that it outlives them.
struct Ledger {
  std::array<std::array<std::atomic<int>, kNames>, kProcesses> known;
  std::atomic<long> acknowledged;
};

class SharedLedger {
 public:
  SharedLedger()
      : ledger_(static_cast<Ledger*>(
            ::mmap(nullptr, sizeof(Ledger), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {
    if (ledger_ == MAP_FAILED) throw std::runtime_error("can't share memory");
  }
  SharedLedger(const SharedLedger&) = delete;
  SharedLedger& operator=(const SharedLedger&) = delete;
  ~SharedLedger() { ::munmap(ledger_, sizeof(Ledger)); }
  Ledger& operator*() const { return *ledger_; }

 private:
  Ledger* ledger_;
};

std::string name_of(int process, int number) {
  return context_address({}, {}, std::vector<TokenId>{process, number}, {});
}

/// A forked process must not wait for threads that it doesn't have.
struct OneThread {
  OneThread() { set_thread_count(1); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;
  ~OneThread() { set_thread_count(0); }
};

class StoreCrash : public testing::Test {
 protected:
  /// One step of a process: pinned contexts come and go, others fill the store, which is collected.
  void step(FolderStore& store, int process, std::mt19937& random, Ledger& ledger) {
    const int number = static_cast<int>(random() % kNames);
    std::atomic<int>& known = ledger.known.at(process).at(number);
    const auto write = [&](ByteSink& out, uint64_t most) {
      write_context(out, "context", context_, document_.origin(Level::pair, 0.5), {.most_bytes = most});
    };
    switch (random() % 4) {
      case 0:
        store.add(name_of(process, 1000 + static_cast<int>(random() % 20)), write);
        break;
      case 1:
        store.collect(14 * one_);
        break;
      case 2:
        if (known == absent) break;
        known = unknown;
        store.remove(name_of(process, number));
        known = absent;
        break;
      default:
        if (known == absent) known = unknown;
        store.add(name_of(process, number), write, ContextStore::Pin::yes);
        known = present;
    }
    ++ledger.acknowledged;
  }

  pid_t start(int process, uint32_t seed, Ledger& ledger) {
    const pid_t child = ::fork();
    if (child != 0) return child;
    try {
      std::mt19937 random(seed);
      FolderStore store(store_folder_, 20 * one_);
      for (;;) step(store, process, random, ledger);
    } catch (...) {
      ::_exit(1);  // nothing may fail but by being killed
    }
  }

  /// Kills them all after so many microseconds.
  void run_and_kill(uint32_t moment, Ledger& ledger) {
    std::array<pid_t, kProcesses> children{};
    for (int process = 0; process < kProcesses; ++process)
      children.at(process) = start(process, moment * kProcesses + process, ledger);
    std::mt19937 random(moment);
    for (const pid_t child : children) {
      ::usleep(500 + random() % 40'000);
      ASSERT_EQ(::kill(child, SIGKILL), 0);
    }
    for (const pid_t child : children) {
      int status = 0;
      ASSERT_EQ(::waitpid(child, &status, 0), child);
      ASSERT_TRUE(WIFSIGNALED(status)) << "a process failed by itself";
    }
  }

  void check(Ledger& ledger) {
    FolderStore store(store_folder_, 20 * one_);
    for (const StoreEntry& entry : store.list()) {
      const auto file = store.find(entry.name);
      ASSERT_TRUE(file);
      ASSERT_NO_THROW(file->verify());
    }
    for (int process = 0; process < kProcesses; ++process) {
      for (int number = 0; number < kNames; ++number) {
        std::atomic<int>& known = ledger.known.at(process).at(number);
        const bool there = store.find(name_of(process, number)).has_value();
        if (known != unknown) {
          ASSERT_EQ(there, known == present) << process << " " << number;
        }
        known = there ? present : absent;
      }
    }
  }

  OneThread one_thread_;
  TempFolder folder_;
  std::string store_folder_ = folder_.file("store");
  MadeUpDocument document_{81, {.kv_heads = 1, .head_dim = 16, .windows = {0, 0}, .dtype = DType::f16}, 2, 50};
  Context context_ = document_.context(Level::pair, 0.5);
  uint64_t one_ = document_.write(folder_.file("one"), Level::pair, 0.5);  // bytes of a context
};

TEST_F(StoreCrash, KilledProcessesLoseNothing) {
  const char* asked = std::getenv("KVZIP_CRASH_MOMENTS");  // NOLINT(concurrency-mt-unsafe)
  const uint32_t moments = asked == nullptr ? kDefaultMoments : static_cast<uint32_t>(std::atoi(asked));
  const SharedLedger ledger;
  FolderStore(store_folder_, 20 * one_);
  for (uint32_t moment = 0; moment < moments; ++moment) {
    run_and_kill(moment, *ledger);
    if (HasFatalFailure()) return;
    check(*ledger);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT((*ledger).acknowledged, static_cast<long>(moments)) << "there was something to lose";
  std::printf("  %ld acknowledged operations, %u moments\n", (*ledger).acknowledged.load(), moments);
}

}  // namespace
}  // namespace kvzip
