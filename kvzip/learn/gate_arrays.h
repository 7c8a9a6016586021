// Arrays of a gate's file as f32, checked. Stateless; one thread at a time, as the backend that converts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kvzip/backend/backend.h"
#include "kvzip/model/safetensors.h"

namespace kvzip {

/// Throws Error{input}: `path`: `field`: expected ..., found ...
[[noreturn]] void fail_gate(const std::string& path, std::string_view field, const std::string& expected,
                            const std::string& found);

using ArrayShape = std::vector<uint64_t>;

/// The shape of an array, which must have `extents` of them, none 0. Throws Error{input}.
ArrayShape array_shape(const SafetensorsFile& file, const std::string& name, size_t extents);

/// The values of the array, which must be F32, F16 or BF16 of that shape and finite. Throws Error{input}.
std::vector<float> array_values(const SafetensorsFile& file, const std::string& name, const ArrayShape& shape,
                                Backend& backend);

}  // namespace kvzip
