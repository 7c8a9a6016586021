#include "kvzip/model/gguf_reader.h"

#include <fmt/format.h>

namespace kvzip {

void fail_field(std::string_view file, std::string_view field, std::string_view expected, std::string_view found,
                ErrorCode code) {
  throw Error(code, fmt::format("{}: field {}: expected {}, found {}", file, field, expected, found));
}

std::span<const std::byte> ByteReader::take(uint64_t count, uint64_t item_bytes, std::string_view field) {
  if (count > remaining() / item_bytes) {
    fail(field, fmt::format("{} x {} bytes at offset {}", count, item_bytes, offset_),
         fmt::format("{} bytes to the end of the file", remaining()));
  }
  const std::span<const std::byte> taken = bytes_.subspan(offset_, count * item_bytes);
  offset_ += taken.size();
  return taken;
}

std::string_view ByteReader::string(std::string_view field) {
  const uint64_t length = number<uint64_t>(field);
  const std::span<const std::byte> text = take(length, 1, field);
  return {reinterpret_cast<const char*>(text.data()), text.size()};
}

std::span<const std::byte> ByteReader::take_strings(uint64_t count, std::string_view field) {
  const size_t begin = offset_;
  for (uint64_t i = 0; i < count; ++i) string(field);
  return bytes_.subspan(begin, offset_ - begin);
}

uint64_t ByteReader::count(uint64_t min_bytes, std::string_view field) {
  const uint64_t count = number<uint64_t>(field);
  const uint64_t most = remaining() / min_bytes;
  if (count > most) fail(field, fmt::format("at most {}, which the file could hold", most), fmt::to_string(count));
  return count;
}

}  // namespace kvzip
