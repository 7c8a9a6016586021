#include "kvzip/base/rank_memory.h"

#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>

#include "kvzip/base/check.h"
#include "kvzip/base/error.h"

namespace kvzip {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kLongestLine = 1000;
constexpr unsigned kSpins = 2000;  ///< before a waiting rank sleeps: about as long as ranks usually are apart
constexpr useconds_t kSleep = 50;  ///< microseconds

static_assert(std::atomic<uint32_t>::is_always_lock_free, "atomics work between processes only without locks");

}  // namespace

struct RankMemory::Header {
  enum State : uint32_t { kWell, kFailing, kFailed };

  std::atomic<uint32_t> arrived{0};
  std::atomic<uint32_t> round{0};
  std::atomic<uint32_t> state{kWell};
  int code = 0;
  uint32_t length = 0;
  char line[kLongestLine] = {};
};

RankMemory::RankMemory(size_t ranks) : ranks_(ranks), bytes_(kPage + ranks * kSlotBytes) {
  static_assert(sizeof(Header) <= kPage, "the slots begin behind the header");
  void* const memory = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    throw Error(ErrorCode::memory, "out of memory: " + std::to_string(bytes_) + " bytes to share between processes");
  }
  header_ = new (memory) Header;
}

RankMemory::~RankMemory() { ::munmap(header_, bytes_); }

std::byte* RankMemory::slot(size_t rank) const {
  return reinterpret_cast<std::byte*>(header_) + kPage + rank * kSlotBytes;
}

// The last to arrive opens the next round. A round can't open twice meanwhile: that would need this rank to arrive.
void RankMemory::meet() {
  const uint32_t round = header_->round.load(std::memory_order_acquire);
  if (header_->arrived.fetch_add(1, std::memory_order_acq_rel) + 1 == ranks_) {
    header_->arrived.store(0, std::memory_order_relaxed);
    header_->round.store(round + 1, std::memory_order_release);
    return;
  }
  for (unsigned spins = 0; header_->round.load(std::memory_order_acquire) == round; ++spins) {
    if (header_->state.load(std::memory_order_relaxed) != Header::kWell)
      throw Error(ErrorCode::cancelled, "another device failed");
    if (spins < kSpins) {
      ::sched_yield();
    } else {
      ::usleep(kSleep);
    }
  }
}

void RankMemory::gather(size_t rank, std::span<const std::byte> part, std::span<std::byte> all) {
  check(all.size() == ranks_ * part.size(), "gather: room for the parts of all ranks");
  for (size_t begin = 0; begin < part.size(); begin += kSlotBytes) {
    const size_t bytes = std::min(kSlotBytes, part.size() - begin);
    std::memcpy(slot(rank), part.data() + begin, bytes);
    meet();
    for (size_t from = 0; from < ranks_; ++from)
      std::memcpy(all.data() + from * part.size() + begin, slot(from), bytes);
    meet();  // before the slots are written again
  }
}

void RankMemory::fail(int code, std::string_view line) noexcept {
  uint32_t well = Header::kWell;
  if (!header_->state.compare_exchange_strong(well, Header::kFailing)) return;
  header_->code = code;
  header_->length = static_cast<uint32_t>(std::min(line.size(), kLongestLine));
  std::memcpy(header_->line, line.data(), header_->length);
  header_->state.store(Header::kFailed, std::memory_order_release);
}

std::optional<RankMemory::Failure> RankMemory::failure() const {
  if (header_->state.load(std::memory_order_acquire) != Header::kFailed) return std::nullopt;
  return Failure{header_->code, std::string(header_->line, header_->length)};
}

}  // namespace kvzip
