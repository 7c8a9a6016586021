// Writes arrays in the safetensors format. Stateless; safe from any number of threads.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace kvzip {

/// A named array to write, row-major: the last extent of `shape` is contiguous in `values`, which are borrowed.
struct NamedArray {
  std::string name;
  std::vector<uint64_t> shape;
  std::variant<std::span<const float>, std::span<const uint8_t>> values;
};

/// Makes or replaces the file at `path` in one step (see write_file_atomically). Names must be UTF-8 and differ, shapes
/// must match the number of values. Throws Error{input} where the file can't be written.
void write_safetensors(const std::string& path, std::span<const NamedArray> arrays);

}  // namespace kvzip
