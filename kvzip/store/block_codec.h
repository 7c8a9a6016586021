// Blocks of a context file for cold storage: each a zstd frame of its own, so that any of them can be read by itself.
// Stateless; safe from any number of threads.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace kvzip {

/// The block as one zstd frame, or as it is where that takes no more bytes.
std::vector<std::byte> pack_block(std::span<const std::byte> block);

/// Undoes pack_block() into `block`, whose size is known. Throws Error{input} naming `path` where `packed` is not
/// exactly such a block.
void unpack_block(std::span<const std::byte> packed, std::span<std::byte> block, const std::string& path);

}  // namespace kvzip
