// One metadata value of a GGUF file: its type, and where its checked bytes are. Views into the file's bytes; immutable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace kvzip {

/// GGUF's value types, with their numbers.
enum class GgufType : uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };

inline constexpr uint32_t kGgufTypeCount = 13;

/// Bytes of one value; 0 for strings and arrays, whose size varies.
size_t gguf_type_bytes(GgufType type);

struct GgufValue {
  std::string_view key;
  GgufType type = GgufType::u8;  ///< of the value, or of each element of an array
  bool is_array = false;
  uint64_t count = 1;               ///< elements
  std::span<const std::byte> data;  ///< the elements as the file has them; strings with their lengths
};

/// What the caller asked for. All throw Error{input} naming `file` and the key where the value is of another type, or
/// does not fit. Any integer type will do for as_uint and as_ints, booleans for as_ints too. A float must be finite;
/// those of an array may be infinite, but none may be NaN.
uint64_t as_uint(std::string_view file, const GgufValue& value);
double as_float(std::string_view file, const GgufValue& value);
bool as_bool(std::string_view file, const GgufValue& value);
std::string_view as_string(std::string_view file, const GgufValue& value);
std::vector<int64_t> as_ints(std::string_view file, const GgufValue& value);
std::vector<double> as_floats(std::string_view file, const GgufValue& value);
std::vector<std::string_view> as_strings(std::string_view file, const GgufValue& value);

}  // namespace kvzip
