#include "kvzip/store/block_codec.h"

#include <zstd.h>

#include <algorithm>

#include "kvzip/base/error.h"

namespace kvzip {
namespace {

constexpr int kLevel = 3;  // higher ones take several times as long for a percent

}  // namespace

std::vector<std::byte> pack_block(std::span<const std::byte> block) {
  std::vector<std::byte> packed(::ZSTD_compressBound(block.size()));
  const size_t size = ::ZSTD_compress(packed.data(), packed.size(), block.data(), block.size(), kLevel);
  if (::ZSTD_isError(size) != 0 || size >= block.size()) return {block.begin(), block.end()};
  packed.resize(size);
  return packed;
}

void unpack_block(std::span<const std::byte> packed, std::span<std::byte> block, const std::string& path) {
  if (packed.size() == block.size()) {
    std::copy(packed.begin(), packed.end(), block.begin());
    return;
  }
  const size_t size = ::ZSTD_decompress(block.data(), block.size(), packed.data(), packed.size());
  if (::ZSTD_isError(size) != 0 || size != block.size())
    throw Error(ErrorCode::input, path + ": damaged: a block that zstd can't unpack");
}

}  // namespace kvzip
