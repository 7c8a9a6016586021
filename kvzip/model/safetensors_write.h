// Writes arrays in the safetensors format. Stateless; safe from any number of threads.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace kvzip {

/// A named array to write, row-major: the last extent of `shape` is contiguous in `values`, which are borrowed.
struct NamedArray {
  std::string name;
  std::vector<uint64_t> shape;
  /// As F32, F16 (bits of the values) and U8.
  std::variant<std::span<const float>, std::span<const uint16_t>, std::span<const uint8_t>> values;
};

/// Makes or replaces the file at `path` in one step (see write_file_atomically). Names must be UTF-8 and differ, shapes
/// must match the number of values; `metadata` are the file's own names and values, UTF-8 too. Throws Error{input}
/// where the file can't be written.
void write_safetensors(const std::string& path, std::span<const NamedArray> arrays,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace kvzip
