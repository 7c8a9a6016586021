#include "kvzip/model/gguf_parse.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <string>

#include "kvzip/base/quote.h"

namespace kvzip {
namespace {

constexpr std::string_view kMagic = "GGUF";
constexpr uint64_t kMinValueBytes = 8 + 4 + 1;  // length of the key, type, the smallest value
constexpr uint64_t kDefaultAlignment = 32;
constexpr uint64_t kMinAlignment = 8;  // the specification's; it also keeps every block type aligned
constexpr uint64_t kMaxAlignment = 1 << 16;

/// Magic and version.
uint32_t read_version(ByteReader& in) {
  const std::span<const std::byte> magic = in.take(kMagic.size(), 1, "magic");
  const std::string_view text(reinterpret_cast<const char*>(magic.data()), magic.size());
  if (text != kMagic) in.fail("magic", "'GGUF'", quote(text));
  const uint32_t version = in.number<uint32_t>("version");
  if (version == 2 || version == 3) return version;
  const bool swapped = version != 0 && (version & 0xffffU) == 0;
  in.fail("version", "2 or 3, little-endian", swapped ? "a big-endian file" : fmt::to_string(version),
          ErrorCode::unsupported);
}

GgufType read_type(ByteReader& in, std::string_view field) {
  const uint32_t id = in.number<uint32_t>(field);
  if (id >= kGgufTypeCount) in.fail(field, "a value type from 0 to 12", fmt::format("type {}", id));
  return static_cast<GgufType>(id);
}

void expect_booleans(const ByteReader& in, const GgufValue& value, std::string_view field) {
  const auto wrong = std::ranges::find_if(value.data, [](std::byte b) { return b > std::byte{1}; });
  if (wrong != value.data.end()) in.fail(field, "booleans of 0 or 1", fmt::to_string(std::to_integer<int>(*wrong)));
}

GgufValue read_value(ByteReader& in, size_t index) {
  GgufValue value;
  value.key = in.string(fmt::format("key of metadata entry {}", index));
  const std::string field = quote(value.key);
  value.type = read_type(in, field);
  value.is_array = value.type == GgufType::array;
  if (value.is_array) {
    value.type = read_type(in, field);
    if (value.type == GgufType::array) {
      in.fail(field, "an array of plain values", "an array of arrays", ErrorCode::unsupported);
    }
    value.count = in.number<uint64_t>(field);
  }
  const bool strings = value.type == GgufType::string;
  value.data = strings ? in.take_strings(value.count, field) : in.take(value.count, gguf_type_bytes(value.type), field);
  if (value.type == GgufType::boolean) expect_booleans(in, value, field);
  return value;
}

uint64_t alignment_of(const ByteReader& in, const GgufHeader& header) {
  constexpr std::string_view kKey = "general.alignment";
  const auto found = header.value_index.find(kKey);
  if (found == header.value_index.end()) return kDefaultAlignment;
  const uint64_t alignment = as_uint(in.file(), header.values[found->second]);
  if (!std::has_single_bit(alignment) || alignment < kMinAlignment || alignment > kMaxAlignment) {
    in.fail(quote(kKey), fmt::format("a power of two from {} to {}", kMinAlignment, kMaxAlignment),
            fmt::to_string(alignment));
  }
  return alignment;
}

}  // namespace

GgufHeader parse_gguf(std::string_view file, std::span<const std::byte> bytes) {
  ByteReader in(file, bytes);
  GgufHeader header;
  header.version = read_version(in);
  const uint64_t tensor_count = in.count(kMinTensorBytes, "tensor_count");
  const uint64_t value_count = in.count(kMinValueBytes, "metadata_kv_count");
  for (uint64_t i = 0; i < value_count; ++i) {
    header.values.push_back(read_value(in, i));
    const std::string_view key = header.values.back().key;
    if (!header.value_index.emplace(key, i).second) in.fail(quote(key), "one value", "a second one");
  }
  parse_gguf_tensors(in, bytes, tensor_count, alignment_of(in, header), header);
  return header;
}

}  // namespace kvzip
