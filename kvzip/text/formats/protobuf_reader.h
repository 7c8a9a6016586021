// Reads the fields of a Protocol Buffers message from an unknown source, one after another. Views the bytes it is
// given; belongs to one thread. The wire format: https://protobuf.dev/programming-guides/encoding/
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace kvzip {

class ProtobufReader {
 public:
  /// `name` stands for the message in errors, as in "FILE: pieces".
  ProtobufReader(std::string name, std::string_view bytes) : name_(std::move(name)), bytes_(bytes) {}

  /// Goes to the next field; false at the end. Fields that were not read are skipped. This and all below throw
  /// Error{input} for what is no message, or where the field is of another type than what is asked for.
  bool next();
  uint32_t field() const { return field_; }

  // The value of the field; each may be read once.
  uint64_t varint();
  bool boolean() { return varint() != 0; }
  int32_t int32() { return static_cast<int32_t>(static_cast<uint32_t>(varint())); }
  float float32();
  std::string_view bytes();
  /// A message in the message.
  ProtobufReader message(std::string_view field_name) {
    const std::string_view inside = bytes();
    return {name_ + ": " + std::string(field_name), inside};
  }

  const std::string& name() const { return name_; }

 private:
  enum class Wire : uint8_t { varint = 0, fixed64 = 1, length = 2, fixed32 = 5 };
  void expect(Wire wire);
  uint64_t take_varint();
  std::string_view take(uint64_t count);
  void skip();

  std::string name_;
  std::string_view bytes_;
  size_t at_ = 0;
  uint32_t field_ = 0;
  Wire wire_ = Wire::varint;
  bool unread_ = false;
};

}  // namespace kvzip
