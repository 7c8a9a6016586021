// Where bytes go that are made one after the other: a file, or somewhere else. Each belongs to one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace kvzip {

class ByteSink {
 public:
  ByteSink() = default;
  ByteSink(const ByteSink&) = delete;
  ByteSink& operator=(const ByteSink&) = delete;
  virtual ~ByteSink() = default;

  /// Appends. Unbuffered: hand it large pieces. Throws Error{input} where they can't be taken.
  virtual void write(std::span<const std::byte> bytes) = 0;
  /// Replaces what was written at `offset`, for what is only known once the rest is there. Throws like write().
  virtual void rewrite(uint64_t offset, std::span<const std::byte> bytes) = 0;
};

}  // namespace kvzip
