#include "kvzip/text/formats/protobuf_reader.h"

#include <fmt/format.h>

#include <bit>

#include "kvzip/base/check.h"
#include "kvzip/base/error.h"

namespace kvzip {

bool ProtobufReader::next() {
  if (unread_) skip();
  if (at_ == bytes_.size()) return false;
  const size_t begin = at_;
  const uint64_t tag = take_varint();
  const uint64_t wire = tag & 7U;
  const uint64_t field = tag >> 3U;
  constexpr uint64_t kLargestField = (uint64_t{1} << 29U) - 1;
  if (field == 0 || field > kLargestField || (wire > 2 && wire != 5)) {
    throw Error(ErrorCode::input,
                fmt::format("{}: expected a Protocol Buffers field at byte {}, found number {} of type {}", name_,
                            begin, field, wire));
  }
  field_ = static_cast<uint32_t>(field);
  wire_ = static_cast<Wire>(wire);
  unread_ = true;
  return true;
}

void ProtobufReader::expect(Wire wire) {
  check(unread_, "a field is read once");
  unread_ = false;
  if (wire_ != wire) {
    throw Error(ErrorCode::input, fmt::format("{}: field {}: expected wire type {}, found {}", name_, field_,
                                              static_cast<int>(wire), static_cast<int>(wire_)));
  }
}

uint64_t ProtobufReader::take_varint() {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const auto byte = static_cast<uint8_t>(take(1)[0]);
    value |= uint64_t{byte & 0x7FU} << shift;
    if (byte < 0x80) return value;
  }
  throw Error(ErrorCode::input, fmt::format("{}: a number before byte {} is longer than 10 bytes", name_, at_));
}

std::string_view ProtobufReader::take(uint64_t count) {
  if (count > bytes_.size() - at_) {
    throw Error(ErrorCode::input, fmt::format("{}: cut off: expected {} more bytes at byte {}, found {}", name_, count,
                                              at_, bytes_.size() - at_));
  }
  const std::string_view taken = bytes_.substr(at_, count);
  at_ += count;
  return taken;
}

uint64_t ProtobufReader::varint() {
  expect(Wire::varint);
  return take_varint();
}

float ProtobufReader::float32() {
  expect(Wire::fixed32);
  const std::string_view four = take(4);
  uint32_t bits = 0;
  for (size_t i = 0; i < 4; ++i) bits |= uint32_t{static_cast<uint8_t>(four[i])} << (8 * i);
  return std::bit_cast<float>(bits);
}

std::string_view ProtobufReader::bytes() {
  expect(Wire::length);
  return take(take_varint());
}

void ProtobufReader::skip() {
  unread_ = false;
  switch (wire_) {
    case Wire::varint:
      take_varint();
      return;
    case Wire::fixed64:
      take(8);
      return;
    case Wire::length:
      take(take_varint());
      return;
    case Wire::fixed32:
      take(4);
      return;
  }
}

}  // namespace kvzip
