// Memory that several processes (or threads) share which run the same program side by side, each with a rank: a place
// to meet, a slot of each rank that the others read, and the first failure of any of them.
//
// Made before the processes are forked. All functions may be called by all ranks at any time.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace kvzip {

class RankMemory {
 public:
  struct Failure {
    int code = 0;  ///< as the caller numbers them
    std::string line;
  };
  static constexpr size_t kSlotBytes = size_t{4} << 20U;

  /// For ranks 0 to `ranks` - 1. Throws Error{memory}.
  explicit RankMemory(size_t ranks);
  RankMemory(const RankMemory&) = delete;
  RankMemory& operator=(const RankMemory&) = delete;
  ~RankMemory();

  size_t ranks() const { return ranks_; }

  /// Waits until every rank has called it as often as this one; what they wrote before, all see afterwards. Throws
  /// Error{cancelled} once a rank has failed.
  void meet();
  /// kSlotBytes that `rank` writes between two meetings, and all read between the next two.
  std::byte* slot(size_t rank) const;
  /// all = the parts of all ranks one behind the other, `part.size()` bytes each. Meets.
  void gather(size_t rank, std::span<const std::byte> part, std::span<std::byte> all);

  /// Says that the calling rank can't go on. Only the first failure is kept, of it the first 1,000 bytes.
  void fail(int code, std::string_view line) noexcept;
  std::optional<Failure> failure() const;

 private:
  struct Header;

  size_t ranks_;
  size_t bytes_;
  Header* header_;
};

}  // namespace kvzip
