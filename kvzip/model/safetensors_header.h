// The JSON header of a safetensors file, as written: where each array says it lies. Not yet checked against the file.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace kvzip {

struct SafetensorsEntry {
  std::string dtype;
  std::vector<uint64_t> shape;
  std::vector<uint64_t> offsets;  ///< begin and end, in bytes from the end of the header
};

/// Parses without building a document, so that memory stays proportional to the arrays described. Throws Error{input}
/// naming `file` and the field for anything but an object of arrays: unknown, missing or duplicate keys, other nesting,
/// more than 8 dimensions.
/// The file's own names and values go to `metadata`, if given.
std::map<std::string, SafetensorsEntry, std::less<>> parse_safetensors_header(
    std::string_view file, std::string_view json, std::map<std::string, std::string>* metadata = nullptr);

}  // namespace kvzip
