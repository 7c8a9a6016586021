// Writes Protocol Buffers messages for tests. A value; one thread.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

namespace kvzip {

class ProtobufBuilder {
 public:
  ProtobufBuilder& varint(uint32_t field, uint64_t value) {
    raw_varint((uint64_t{field} << 3U) | 0U);
    return raw_varint(value);
  }
  ProtobufBuilder& bytes(uint32_t field, std::string_view value) {
    raw_varint((uint64_t{field} << 3U) | 2U);
    raw_varint(value.size());
    bytes_ += value;
    return *this;
  }
  ProtobufBuilder& float32(uint32_t field, float value) {
    raw_varint((uint64_t{field} << 3U) | 5U);
    const auto bits = std::bit_cast<uint32_t>(value);
    for (unsigned i = 0; i < 4; ++i) bytes_ += static_cast<char>(bits >> (8 * i));
    return *this;
  }
  ProtobufBuilder& raw_varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7U) bytes_ += static_cast<char>(0x80U | (value & 0x7FU));
    bytes_ += static_cast<char>(value);
    return *this;
  }
  ProtobufBuilder& raw(std::string_view bytes) {
    bytes_ += bytes;
    return *this;
  }
  const std::string& str() const { return bytes_; }

 private:
  std::string bytes_;
};

}  // namespace kvzip
