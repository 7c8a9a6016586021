#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <string>

#include "kvzip/base/quote.h"
#include "kvzip/model/gguf_parse.h"

namespace kvzip {
namespace {

constexpr uint32_t kMaxDims = 4;

struct TypeNumber {
  uint32_t id;
  DType dtype;
};

/// ggml's numbers of the types that we have.
constexpr std::array<TypeNumber, kDTypeCount> kTypeNumbers = {{{0, DType::f32},
                                                               {1, DType::f16},
                                                               {2, DType::q4_0},
                                                               {3, DType::q4_1},
                                                               {6, DType::q5_0},
                                                               {7, DType::q5_1},
                                                               {8, DType::q8_0},
                                                               {10, DType::q2_k},
                                                               {11, DType::q3_k},
                                                               {12, DType::q4_k},
                                                               {13, DType::q5_k},
                                                               {14, DType::q6_k},
                                                               {20, DType::iq4_nl},
                                                               {23, DType::iq4_xs},
                                                               {30, DType::bf16}}};

std::optional<DType> dtype_of(uint32_t type_id) {
  const auto found = std::ranges::find(kTypeNumbers, type_id, &TypeNumber::id);
  return found == kTypeNumbers.end() ? std::nullopt : std::optional(found->dtype);
}

/// Where a tensor's data lies, in bytes from the start of all tensor data.
struct Extent {
  uint64_t begin = 0;
  uint64_t end = 0;
  std::string_view name;
};

std::vector<uint64_t> read_shape(ByteReader& in, std::string_view field) {
  const uint32_t dims = in.number<uint32_t>(field);
  if (dims < 1 || dims > kMaxDims) in.fail(field, "1 to 4 dimensions", fmt::to_string(dims));
  std::vector<uint64_t> shape(dims);
  uint64_t values = 1;
  for (uint64_t& extent : shape) {
    extent = in.number<uint64_t>(field);
    if (extent == 0) in.fail(field, "dimensions of at least 1", "0");
    if (values > std::numeric_limits<int64_t>::max() / extent)
      in.fail(field, "a shape of fewer than 2^63 values", "more");
    values *= extent;
  }
  return shape;
}

/// Bytes of a tensor of one of our types, of which `available` are left. Counting blocks can't overflow: they are no
/// more than the values, which read_shape bounds; their bytes could, so they are compared before they are multiplied.
uint64_t data_bytes(const ByteReader& in, const StoredTensor& tensor, uint64_t available, std::string_view field) {
  const DTypeInfo& info = dtype_info(tensor.dtype);
  const uint64_t cols = tensor.shape[0];
  if (cols % info.block_values != 0) {
    in.fail(field, fmt::format("rows of a multiple of {} values ({})", info.block_values, info.name),
            fmt::to_string(cols));
  }
  uint64_t blocks = cols / info.block_values;
  for (size_t d = 1; d < tensor.shape.size(); ++d) blocks *= tensor.shape[d];
  if (blocks > available / info.block_bytes) {
    in.fail(field, fmt::format("{} blocks of {} bytes ({}) in the file", blocks, info.block_bytes, info.name),
            fmt::format("{} bytes to its end", available));
  }
  return blocks * info.block_bytes;
}

void expect_no_overlap(const ByteReader& in, std::vector<Extent> extents) {
  std::ranges::sort(extents, {}, &Extent::begin);
  for (size_t i = 1; i < extents.size(); ++i) {
    if (extents[i].begin < extents[i - 1].end) {
      in.fail(fmt::format("offset of tensor {}", quote(extents[i].name)), "data of its own",
              fmt::format("data shared with tensor {}", quote(extents[i - 1].name)));
    }
  }
}

/// Finds and checks the tensor's data in `data`, which are the bytes of all tensors.
Extent place(const ByteReader& in, std::span<const std::byte> data, uint64_t offset, uint64_t alignment,
             GgufTensorEntry& entry) {
  const std::string tensor_name = quote(entry.tensor.name);
  const std::string field = fmt::format("offset of tensor {}", tensor_name);
  if (offset % alignment != 0) in.fail(field, fmt::format("a multiple of {}", alignment), fmt::to_string(offset));
  if (offset >= data.size()) {
    in.fail(field, fmt::format("less than {}, the bytes of all tensors", data.size()), fmt::to_string(offset));
  }
  uint64_t bytes = 1;  // of an unknown type we only know that it has some
  if (const std::optional<DType> dtype = dtype_of(entry.type_id)) {
    entry.known = true;
    entry.tensor.dtype = *dtype;
    bytes = data_bytes(in, entry.tensor, data.size() - offset, fmt::format("shape of tensor {}", tensor_name));
    entry.tensor.data = data.subspan(offset, bytes);
  }
  return {offset, offset + bytes, entry.tensor.name};
}

}  // namespace

void parse_gguf_tensors(ByteReader& in, std::span<const std::byte> bytes, uint64_t count, uint64_t alignment,
                        GgufHeader& header) {
  std::vector<uint64_t> offsets;
  for (uint64_t i = 0; i < count; ++i) {
    const std::string_view name = in.string(fmt::format("name of tensor {}", i));
    const std::string field = fmt::format("tensor {}", quote(name));
    if (!header.tensor_index.emplace(name, i).second) in.fail(field, "one description", "a second one");
    GgufTensorEntry& entry = header.tensors.emplace_back();
    entry.tensor.name = name;
    entry.tensor.shape = read_shape(in, fmt::format("shape of {}", field));
    entry.type_id = in.number<uint32_t>(fmt::format("type of {}", field));
    offsets.push_back(in.number<uint64_t>(fmt::format("offset of {}", field)));
  }
  const uint64_t begin = std::min<uint64_t>((in.offset() + alignment - 1) / alignment * alignment, bytes.size());
  std::vector<Extent> extents;
  for (size_t i = 0; i < offsets.size(); ++i) {
    extents.push_back(place(in, bytes.subspan(begin), offsets[i], alignment, header.tensors[i]));
  }
  expect_no_overlap(in, std::move(extents));
}

}  // namespace kvzip
