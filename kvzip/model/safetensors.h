// Files in the safetensors format: named arrays over a mapped file, fully checked. Immutable once read; safe from any
// number of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kvzip/base/mapped_file.h"

namespace kvzip {

/// Row-major; the last extent of the shape is contiguous. Whoever made the file decides how `data` is aligned: copy it
/// out.
struct SafetensorsArray {
  std::string dtype;  ///< F32, F16, BF16, ...: whoever asks for the array decides whether it can read that
  std::vector<uint64_t> shape;
  std::span<const std::byte> data;
};

using SafetensorsArrays = std::map<std::string, SafetensorsArray, std::less<>>;

struct SafetensorsFile {
  MappedFile file;  ///< what the arrays view
  SafetensorsArrays arrays;
  std::map<std::string, std::string> metadata;  ///< "__metadata__": the file's own names and values

  /// Throws Error{input} where there is none of that name.
  const SafetensorsArray& at(std::string_view name) const;
};

/// Reads the header and checks all of it: arrays must fill the file without gap or overlap, in any order. Throws
/// Error{input} naming the file and the field.
SafetensorsFile read_safetensors(const std::string& path);

/// The same for a file in memory, which must outlive the result; `file` is its name for errors.
SafetensorsArrays parse_safetensors(std::string_view file, std::span<const std::byte> bytes,
                                    std::map<std::string, std::string>* metadata = nullptr);

}  // namespace kvzip
