// A cursor over the bytes of a file that never reads past their end. Borrows the bytes and the name; one thread.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "kvzip/base/error.h"

namespace kvzip {

static_assert(std::endian::native == std::endian::little, "model files are little-endian and read as they are");

/// The number stored at `data`, which need not be aligned.
template <class Number>
requires std::integral<Number> || std::floating_point<Number> Number load_number(const std::byte* data) {
  Number number;
  std::memcpy(&number, data, sizeof(number));
  return number;
}

/// Throws Error{code} "FILE: field FIELD: expected EXPECTED, found FOUND".
[[noreturn]] void fail_field(std::string_view file, std::string_view field, std::string_view expected,
                             std::string_view found, ErrorCode code = ErrorCode::input);

/// Every read names the field it reads, and throws Error{input} with that name where the file ends too soon.
class ByteReader {
 public:
  ByteReader(std::string_view file, std::span<const std::byte> bytes) : file_(file), bytes_(bytes) {}

  std::string_view file() const { return file_; }
  uint64_t offset() const { return offset_; }
  uint64_t remaining() const { return bytes_.size() - offset_; }

  template <class Number>
  Number number(std::string_view field) {
    return load_number<Number>(take(1, sizeof(Number), field).data());
  }
  /// `count` items of `item_bytes` each; the product can't overflow.
  std::span<const std::byte> take(uint64_t count, uint64_t item_bytes, std::string_view field);
  /// A length of 64 bits and as many bytes.
  std::string_view string(std::string_view field);
  /// `count` such strings, checked and passed over; gives the bytes that hold them.
  std::span<const std::byte> take_strings(uint64_t count, std::string_view field);
  /// A count of 64 bits of items that take at least `min_bytes` each, so that no count can exceed what the file could
  /// hold.
  uint64_t count(uint64_t min_bytes, std::string_view field);

  [[noreturn]] void fail(std::string_view field, std::string_view expected, std::string_view found,
                         ErrorCode code = ErrorCode::input) const {
    fail_field(file_, field, expected, found, code);
  }

 private:
  std::string_view file_;
  std::span<const std::byte> bytes_;
  size_t offset_ = 0;
};

}  // namespace kvzip
