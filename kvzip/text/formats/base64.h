// Base64 (RFC 4648, section 4), read strictly. Stateless; safe from any number of threads.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace kvzip {

/// The bytes that `text` stands for. None where it is not what an encoder writes: other characters, missing or extra
/// padding, bits that no byte needs.
std::optional<std::string> decode_base64(std::string_view text);
/// The text that stands for `bytes`, padded.
std::string encode_base64(std::span<const std::byte> bytes);

}  // namespace kvzip
