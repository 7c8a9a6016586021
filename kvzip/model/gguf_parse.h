// The header of a GGUF file, taken apart and checked. Views into the file's bytes; immutable once parsed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string_view>
#include <vector>

#include "kvzip/model/gguf.h"
#include "kvzip/model/gguf_reader.h"
#include "kvzip/model/gguf_values.h"

namespace kvzip {

struct GgufTensorEntry {
  StoredTensor tensor;   ///< dtype and data are only set where the type is one of ours
  uint32_t type_id = 0;  ///< ggml's number of the type
  bool known = false;    ///< whether the type is one of ours
};

struct GgufHeader {
  uint32_t version = 0;
  std::vector<GgufValue> values;  ///< in file order
  std::map<std::string_view, size_t> value_index;
  std::vector<GgufTensorEntry> tensors;  ///< in file order
  std::map<std::string_view, size_t> tensor_index;
};

/// Parses the header at the start of `bytes`, which are the whole file; `file` is its name for errors. Throws as
/// Gguf::open.
GgufHeader parse_gguf(std::string_view file, std::span<const std::byte> bytes);

/// The part of it for the tensors: reads the `count` descriptions at the cursor, and finds and checks their data, which
/// begins at the next multiple of `alignment` and reaches no further than the end of `bytes`.
void parse_gguf_tensors(ByteReader& in, std::span<const std::byte> bytes, uint64_t count, uint64_t alignment,
                        GgufHeader& header);

/// The least that one tensor description takes: length of the name, number of dimensions, one dimension, type, offset.
inline constexpr uint64_t kMinTensorBytes = 8 + 4 + 8 + 4 + 8;

}  // namespace kvzip
