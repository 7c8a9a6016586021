#include "kvzip/model/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "kvzip/base/quote.h"
#include "kvzip/model/gguf_reader.h"
#include "kvzip/model/safetensors_header.h"

namespace kvzip {
namespace {

constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // the format's own limit

struct ElementType {
  std::string_view name;
  uint64_t bytes;
};

constexpr std::array<ElementType, 6> kElementTypes = {
    {{"F32", 4}, {"F16", 2}, {"BF16", 2}, {"U8", 1}, {"I32", 4}, {"I64", 8}}};

/// Bytes that dtype and shape ask for; more than `available` is an error, so that no product can overflow.
uint64_t data_bytes(std::string_view file, std::string_view field, const SafetensorsEntry& entry, uint64_t available) {
  const auto type = std::ranges::find(kElementTypes, entry.dtype, &ElementType::name);
  if (type == kElementTypes.end()) {
    fail_field(file, field, "dtype F32, F16, BF16, U8, I32 or I64", quote(entry.dtype), ErrorCode::unsupported);
  }
  if (std::ranges::find(entry.shape, 0U) != entry.shape.end()) return 0;
  uint64_t bytes = type->bytes;
  for (const uint64_t extent : entry.shape) {
    if (extent > available / bytes) {
      fail_field(file, field, fmt::format("a shape of at most {} bytes, as the file holds", available), "a larger one");
    }
    bytes *= extent;
  }
  return bytes;
}

SafetensorsArray make_array(std::string_view file, std::string_view field, SafetensorsEntry entry,
                            std::span<const std::byte> data) {
  const uint64_t begin = entry.offsets[0];
  const uint64_t end = entry.offsets[1];
  if (begin > end || end > data.size()) {
    fail_field(file, field, fmt::format("data_offsets in order and at most {}", data.size()),
               fmt::format("{} to {}", begin, end));
  }
  const uint64_t bytes = data_bytes(file, field, entry, data.size());
  if (bytes != end - begin) {
    fail_field(file, field, fmt::format("{} bytes of data for its shape", bytes), fmt::to_string(end - begin));
  }
  return {std::move(entry.dtype), std::move(entry.shape), data.subspan(begin, bytes)};
}

/// The arrays, taken in the order of their data, must follow each other from the first byte to the last.
void expect_contiguous(std::string_view file, const SafetensorsArrays& arrays, std::span<const std::byte> data) {
  std::vector<std::pair<uint64_t, uint64_t>> extents;
  for (const auto& [name, array] : arrays) {
    const auto begin = static_cast<uint64_t>(array.data.data() - data.data());
    extents.emplace_back(begin, begin + array.data.size());
  }
  std::ranges::sort(extents);
  uint64_t position = 0;
  for (const auto& [begin, end] : extents) {
    if (begin != position) {
      fail_field(file, "data_offsets", fmt::format("an array that begins at byte {}", position),
                 fmt::format("one at {}", begin));
    }
    position = end;
  }
  if (position != data.size()) {
    fail_field(file, "data_offsets", fmt::format("arrays of {} bytes in all", data.size()), fmt::to_string(position));
  }
}

}  // namespace

const SafetensorsArray& SafetensorsFile::at(std::string_view name) const {
  const auto found = arrays.find(name);
  if (found == arrays.end()) fail_field(file.path(), quote(name), "an array of that name", "none");
  return found->second;
}

SafetensorsArrays parse_safetensors(std::string_view file, std::span<const std::byte> bytes) {
  ByteReader in(file, bytes);
  const uint64_t length = in.number<uint64_t>("header length");
  if (length > kMaxHeaderBytes) {
    in.fail("header length", fmt::format("at most {}", kMaxHeaderBytes), fmt::to_string(length));
  }
  const std::span<const std::byte> header = in.take(length, 1, "header");
  const std::span<const std::byte> data = bytes.subspan(in.offset());
  SafetensorsArrays arrays;
  for (auto& [name, entry] :
       parse_safetensors_header(file, {reinterpret_cast<const char*>(header.data()), header.size()})) {
    arrays.emplace(name, make_array(file, quote(name), std::move(entry), data));
  }
  expect_contiguous(file, arrays, data);
  return arrays;
}

SafetensorsFile read_safetensors(const std::string& path) {
  MappedFile file(path);
  SafetensorsArrays arrays = parse_safetensors(path, file.bytes());
  return {std::move(file), std::move(arrays)};
}

}  // namespace kvzip
