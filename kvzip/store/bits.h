// Numbers of any width, packed: the least significant bit first, bytes in order. One thread each.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace kvzip {

static_assert(std::endian::native == std::endian::little, "words are read in place");

class BitWriter {
 public:
  /// The lowest `count` bits of `value`, at most 32.
  void put(uint64_t value, unsigned count) {
    held_ |= (value & ((uint64_t{1} << count) - 1)) << filled_;
    for (filled_ += count; filled_ >= 8; filled_ -= 8, held_ >>= 8U) bytes_.push_back(static_cast<std::byte>(held_));
  }
  /// The bytes, the last one filled up with zeros.
  std::vector<std::byte> take() {
    if (filled_ > 0) bytes_.push_back(static_cast<std::byte>(held_));
    held_ = filled_ = 0;
    return std::move(bytes_);
  }

 private:
  std::vector<std::byte> bytes_;
  uint64_t held_ = 0;
  unsigned filled_ = 0;
};

/// Behind the end there are zeros; whether it was reached is asked once, at the end.
class BitReader {
 public:
  explicit BitReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  uint32_t get(unsigned count) {
    fill();
    const auto value = static_cast<uint32_t>(held_ & ((uint64_t{1} << count) - 1));
    skip(count);
    return value;
  }
  /// Ones up to the first zero, which is taken too, or `most` of them.
  unsigned ones(unsigned most) {
    fill();
    const unsigned count = std::min(static_cast<unsigned>(std::countr_one(held_)), most);
    skip(count < most ? count + 1 : count);
    return count;
  }
  /// All bits were taken but for the zeros that fill up the last byte, and none from behind the end.
  bool at_end() const { return next_ == bytes_.size() && missing_ == 0 && filled_ < 8 && held_ == 0; }

 private:
  // 56 bits at least, from which 32 can be taken. Above filled_ there are zeros, or the bits that come next anyway.
  void fill() {
    if (bytes_.size() - next_ >= sizeof(uint64_t)) {
      uint64_t word = 0;
      std::memcpy(&word, bytes_.data() + next_, sizeof(word));
      held_ |= word << filled_;
      next_ += (63 - filled_) / 8;
      filled_ |= 56U;
      return;
    }
    while (filled_ <= 56 && next_ < bytes_.size()) {
      held_ |= std::to_integer<uint64_t>(bytes_[next_++]) << filled_;
      filled_ += 8;
    }
  }
  void skip(unsigned count) {
    if (count > filled_) missing_ += count - filled_;
    filled_ -= count < filled_ ? count : filled_;
    held_ >>= count;
  }

  std::span<const std::byte> bytes_;
  size_t next_ = 0;
  uint64_t held_ = 0;
  unsigned filled_ = 0;
  size_t missing_ = 0;
};

}  // namespace kvzip
