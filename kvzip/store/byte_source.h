// Where the bytes of a context come from when they aren't all there: a part of them is fetched before it is read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace kvzip {

struct ByteRange {
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

/// Safe from any number of threads.
class ByteSource {
 public:
  ByteSource() = default;
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;
  virtual ~ByteSource() = default;

  /// All of them, for as long as the source lives; those that weren't fetched are zeros.
  virtual std::span<const std::byte> bytes() const = 0;
  /// Makes these readable, each byte once: what was fetched never changes again. Throws Error{input} where they can't
  /// be had.
  virtual void fetch(std::span<const ByteRange> ranges) = 0;
};

}  // namespace kvzip
