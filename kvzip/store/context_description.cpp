#include "kvzip/store/context_description.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "kvzip/base/check.h"
#include "kvzip/base/quote.h"
#include "kvzip/store/byte_fields.h"

namespace kvzip {
namespace {

// The first byte is no text, and line feeds that a transfer changes are noticed.
constexpr std::array<unsigned char, 8> kMagic = {0x89, 'K', 'V', 'Z', '\r', '\n', 0x1A, '\n'};
constexpr uint32_t kZstdFlag = 1;
constexpr uint32_t kKeyedFlag = 2;
constexpr size_t kSummedHeaderBytes = 48;

// Far beyond any model there is; they keep all products of sizes far from overflow.
constexpr uint32_t kMostHeads = 1U << 18U;  // layers x KV heads
constexpr uint32_t kMostHeadDim = 1U << 16U;
constexpr uint32_t kMostTokenBits = 31;
constexpr uint32_t kMostValues = 64;
constexpr uint64_t kMostWindow = uint64_t{1} << 40U;

constexpr std::array<DType, 5> kTypes = {DType::f32, DType::f16, DType::bf16, DType::q8_0, DType::q4_0};
constexpr uint32_t kGivenHeads = 3;  // no Level has this number

[[noreturn]] void fail(const std::string& path, const std::string& what) {
  throw Error(ErrorCode::input, path + ": " + what);
}
[[noreturn]] void damaged(const std::string& path, const std::string& what) { fail(path, "damaged: " + what); }

uint32_t type_number(DType type) {
  const auto* found = std::find(kTypes.begin(), kTypes.end(), type);
  check(found != kTypes.end(), "contexts are held in one of five types");
  return static_cast<uint32_t>(found - kTypes.begin());
}

void write_shape(const CacheShape& shape, FieldWriter& out) {
  out.number(type_number(shape.dtype));
  out.number(static_cast<uint32_t>(shape.head_dim));
  out.number(static_cast<uint32_t>(shape.kv_heads));
  out.number(static_cast<uint32_t>(shape.layers()));
  for (const size_t window : shape.windows) out.number(uint64_t{window});
}

CacheShape read_shape(FieldReader& in, const std::string& path) {
  const auto bounded = [&](const char* field, uint32_t least, uint32_t most) {
    const auto value = in.number<uint32_t>(field);
    if (value < least || value > most)
      damaged(path, fmt::format("{}: expected {} to {}, found {}", field, least, most, value));
    return value;
  };
  CacheShape shape;
  shape.dtype = kTypes.at(bounded("type of rows", 0, kTypes.size() - 1));
  shape.head_dim = bounded("values of a head", 1, kMostHeadDim);
  shape.kv_heads = bounded("KV heads", 1, kMostHeads);
  shape.windows.resize(bounded("layers", 1, kMostHeads / static_cast<uint32_t>(shape.kv_heads)));
  for (size_t& window : shape.windows) {
    window = in.number<uint64_t>("window");
    if (window > kMostWindow) damaged(path, fmt::format("window: {} tokens", window));
  }
  return shape;
}

void read_level(FieldReader& in, const std::string& path, ContextDescription& description) {
  const auto level = in.number<uint32_t>("level");
  const auto highest = static_cast<uint32_t>(Level::pyramid);
  if (level > highest) damaged(path, fmt::format("level: expected 0 to {}, found {}", highest, level));
  description.given_head_scores = level == kGivenHeads;
  description.level = description.given_head_scores ? Level::head : static_cast<Level>(level);
  description.ratio = in.number<double>("keep ratio");
  if (!(description.ratio > 0 && description.ratio <= 1)) damaged(path, "keep ratio: expected more than 0 up to 1");
}

/// One number for each scored head.
std::vector<uint32_t> read_heads(FieldReader& in, const Keep& held, const char* field) {
  const auto bytes = in.take(held.layers * held.kv_heads * sizeof(uint32_t), field);
  std::vector<uint32_t> numbers(held.layers * held.kv_heads);
  if (!bytes.empty()) std::memcpy(numbers.data(), bytes.data(), bytes.size());
  return numbers;
}

}  // namespace

bool looks_like_context_file(std::span<const std::byte> bytes) {
  return bytes.size() >= kMagic.size() && std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) == 0;
}

std::vector<std::byte> write_header(const FileHeader& header, const BlockSums& sums) {
  FieldWriter out;
  for (const unsigned char byte : kMagic) out.number(byte);
  out.number(kFormatVersion);
  out.number((header.zstd ? kZstdFlag : 0) | (header.keyed ? kKeyedFlag : 0));
  out.number(header.file_bytes);
  out.number(header.description_bytes);
  out.number(header.description_sum);
  std::vector<std::byte> bytes = out.take();
  const BlockSum sum = sums.sum(kHeaderNumber, bytes);
  bytes.insert(bytes.end(), sum.begin(), sum.end());
  return bytes;
}

FileHeader read_header(std::span<const std::byte> file, const BlockSums& sums, const std::string& path) {
  if (file.size() < kHeaderBytes || !looks_like_context_file(file))
    fail(path, "expected a context file, found something else");
  FieldReader in(file.first(kHeaderBytes).subspan(kMagic.size()), path);
  const auto version = in.number<uint32_t>("version");
  if (version != kFormatVersion) {
    fail(path, fmt::format("expected a context file of version {}, found version {}: {}", kFormatVersion, version,
                           version < kFormatVersion ? "compress the document again" : "made by a newer kvzip"));
  }
  const auto flags = in.number<uint32_t>("flags");
  if (flags > (kZstdFlag | kKeyedFlag)) damaged(path, "header: unknown flags");
  FileHeader header{.zstd = (flags & kZstdFlag) != 0, .keyed = (flags & kKeyedFlag) != 0};
  if (header.keyed && !sums.keyed()) fail(path, "made with a key, which is needed to read it");
  if (!header.keyed && sums.keyed()) fail(path, "expected a file made with the key, found one made without any");
  header.file_bytes = in.number<uint64_t>("file size");
  header.description_bytes = in.number<uint64_t>("size of the description");
  header.description_sum = in.number<BlockSum>("sum of the description");
  if (in.number<BlockSum>("sum of the header") != sums.sum(kHeaderNumber, file.first(kSummedHeaderBytes)))
    damaged(path, header.keyed ? "header: not made with this key, or changed" : "header: wrong checksum");
  if (header.file_bytes != file.size())
    damaged(path, fmt::format("expected {} bytes, found {}", header.file_bytes, file.size()));
  if (header.description_bytes > file.size() - kHeaderBytes) damaged(path, "description: longer than the file");
  return header;
}

std::vector<std::byte> write_description(const ContextDescription& description) {
  FieldWriter out;
  out.text(description.title);
  out.text(description.model_name);
  out.number(static_cast<uint32_t>(description.fingerprint.size()));
  for (const FingerprintValue& each : description.fingerprint) {
    out.text(each.name);
    out.text(each.value);
  }
  write_shape(description.shape, out);
  out.text(description.scoring);
  out.number(description.given_head_scores ? uint32_t{kGivenHeads} : static_cast<uint32_t>(description.level));
  out.number(description.ratio);
  out.number(static_cast<uint32_t>(description.system_tokens));
  out.number(static_cast<uint32_t>(description.held.len));
  out.number(description.token_bits);
  out.number(description.text_bytes);
  check(description.order_bytes.size() == description.held.rows.size(), "each head's order has a length");
  for (const uint32_t rows : description.held.rows) out.number(rows);
  for (const uint32_t bytes : description.order_bytes) out.number(bytes);
  return out.take();
}

ParsedDescription read_description(std::span<const std::byte> bytes, const std::string& path) {
  FieldReader in(bytes, path);
  ContextDescription description;
  description.title = in.text("title");
  description.model_name = in.text("model");
  const auto values = in.number<uint32_t>("values of the fingerprint");
  if (values > kMostValues) damaged(path, fmt::format("fingerprint: {} values", values));
  for (uint32_t i = 0; i < values; ++i) {
    std::string name = in.text("fingerprint");
    description.fingerprint.push_back({std::move(name), in.text("fingerprint")});
  }
  description.shape = read_shape(in, path);
  description.scoring = in.text("scoring");
  read_level(in, path, description);
  description.system_tokens = in.number<uint32_t>("system tokens");
  Keep& held = description.held;
  held.len = in.number<uint32_t>("document tokens");
  if (description.system_tokens + held.len > std::numeric_limits<uint32_t>::max()) damaged(path, "too many tokens");
  description.token_bits = in.number<uint32_t>("bits of a token");
  if (description.token_bits > kMostTokenBits)
    damaged(path,
            fmt::format("bits of a token: expected at most {}, found {}", kMostTokenBits, description.token_bits));
  description.text_bytes = in.number<uint64_t>("size of the text");
  held.layers = description.shape.global_layers().size();
  held.kv_heads = description.shape.kv_heads;
  held.rows = read_heads(in, held, "rows of the heads");
  for (const uint32_t count : held.rows) {
    if (count > held.len) damaged(path, fmt::format("rows of a head: expected at most {}, found {}", held.len, count));
  }
  description.order_bytes = read_heads(in, held, "sizes of the heads' order");
  return {std::move(description), in.rest()};
}

}  // namespace kvzip
