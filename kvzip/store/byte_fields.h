// Little-endian fields one after the other: how a context file's description is written and read. One thread each.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kvzip/base/error.h"

namespace kvzip {

static_assert(std::endian::native == std::endian::little, "context files are read in place");

class FieldWriter {
 public:
  template <class Number>
  void number(Number value) {
    const auto* bytes = reinterpret_cast<const std::byte*>(&value);
    bytes_.insert(bytes_.end(), bytes, bytes + sizeof(value));
  }
  /// Length, then the bytes.
  void text(std::string_view text) {
    number(static_cast<uint32_t>(text.size()));
    const auto bytes = std::as_bytes(std::span(text));
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  void zeros(size_t count) { bytes_.resize(bytes_.size() + count); }
  size_t size() const { return bytes_.size(); }
  std::vector<std::byte> take() { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

/// Reads what a FieldWriter wrote, or anything else: never beyond the end, and never allocates more than is there.
class FieldReader {
 public:
  /// `path` is the name that errors give.
  FieldReader(std::span<const std::byte> bytes, const std::string& path) : bytes_(bytes), path_(&path) {}

  template <class Number>
  Number number(const char* field) {
    Number value{};
    std::memcpy(&value, take(sizeof(value), field).data(), sizeof(value));
    return value;
  }
  std::string text(const char* field) {
    const auto bytes = take(number<uint32_t>(field), field);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  std::span<const std::byte> take(size_t count, const char* field) {
    if (count > bytes_.size()) {
      throw Error(ErrorCode::input, *path_ + ": damaged: " + field + ": expected " + std::to_string(count) +
                                        " bytes, found " + std::to_string(bytes_.size()));
    }
    const auto taken = bytes_.first(count);
    bytes_ = bytes_.subspan(count);
    return taken;
  }
  std::span<const std::byte> rest() const { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
  const std::string* path_;
};

}  // namespace kvzip
