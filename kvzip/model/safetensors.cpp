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
  uint64_t bits;
};

/// All that the format has.
constexpr std::array<ElementType, 20> kElementTypes = {
    {{"F32", 32},    {"F16", 16},    {"BF16", 16},   {"F64", 64},    {"BOOL", 8},    {"U8", 8},   {"I8", 8},
     {"U16", 16},    {"I16", 16},    {"U32", 32},    {"I32", 32},    {"U64", 64},    {"I64", 64}, {"C64", 64},
     {"F8_E4M3", 8}, {"F8_E5M2", 8}, {"F8_E8M0", 8}, {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"F4", 4}}};

/// Bytes that dtype and shape ask for; more than `available` is an error, so that no product can overflow. A dtype that
/// isn't known takes what the offsets give it.
uint64_t data_bytes(std::string_view file, std::string_view field, const SafetensorsEntry& entry, uint64_t available,
                    uint64_t given) {
  const auto type = std::ranges::find(kElementTypes, entry.dtype, &ElementType::name);
  if (type == kElementTypes.end()) return given;
  if (std::ranges::find(entry.shape, 0U) != entry.shape.end()) return 0;
  uint64_t bits = type->bits;
  for (const uint64_t extent : entry.shape) {
    if (extent > available * 8 / bits) {
      fail_field(file, field, fmt::format("a shape of at most {} bytes, as the file holds", available), "a larger one");
    }
    bits *= extent;
  }
  if (bits % 8 != 0) fail_field(file, field, "a shape of whole bytes", fmt::format("one of {} bits", bits));
  return bits / 8;
}

SafetensorsArray make_array(std::string_view file, std::string_view field, SafetensorsEntry entry,
                            std::span<const std::byte> data) {
  const uint64_t begin = entry.offsets[0];
  const uint64_t end = entry.offsets[1];
  if (begin > end || end > data.size()) {
    fail_field(file, field, fmt::format("data_offsets in order and at most {}", data.size()),
               fmt::format("{} to {}", begin, end));
  }
  const uint64_t bytes = data_bytes(file, field, entry, data.size(), end - begin);
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

SafetensorsArrays parse_safetensors(std::string_view file, std::span<const std::byte> bytes,
                                    std::map<std::string, std::string>* metadata) {
  ByteReader in(file, bytes);
  const uint64_t length = in.number<uint64_t>("header length");
  if (length > kMaxHeaderBytes) {
    in.fail("header length", fmt::format("at most {}, as safetensors files have it", kMaxHeaderBytes),
            fmt::to_string(length));
  }
  const std::span<const std::byte> header = in.take(length, 1, "header");
  const std::span<const std::byte> data = bytes.subspan(in.offset());
  SafetensorsArrays arrays;
  for (auto& [name, entry] :
       parse_safetensors_header(file, {reinterpret_cast<const char*>(header.data()), header.size()}, metadata)) {
    arrays.emplace(name, make_array(file, quote(name), std::move(entry), data));
  }
  expect_contiguous(file, arrays, data);
  return arrays;
}

SafetensorsFile read_safetensors(const std::string& path) {
  MappedFile file(path);
  std::map<std::string, std::string> metadata;
  SafetensorsArrays arrays = parse_safetensors(path, file.bytes(), &metadata);
  return {std::move(file), std::move(arrays), std::move(metadata)};
}

}  // namespace kvzip
