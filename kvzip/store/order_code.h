// The order of a context's rows in as few bytes as it needs: per row its position in the document and its rank among
// all rows of the file. Pure functions.
//
// A rank is the number of rows held, in all heads, that score higher. Ranks of a head never fall, and their steps are
// about as many as there are heads, which Rice's code takes in little more than a byte. docs/store_format.md has the
// bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace kvzip {

/// Of each head, `[scored layers * kv_heads]`, one entry per row held, in stored order.
struct RowOrder {
  std::vector<std::vector<uint32_t>> positions;  ///< in the document, 0 = its first token
  std::vector<std::vector<uint32_t>> ranks;
};

std::vector<std::byte> encode_order(const RowOrder& order, size_t document_len);

/// `rows` are the heads' numbers of rows. Throws Error{input} naming `path` where a position lies outside the document
/// or comes twice, where a rank is not below the number of rows, or where bits are missing or left.
RowOrder decode_order(std::span<const std::byte> bytes, std::span<const uint32_t> rows, size_t document_len,
                      const std::string& path);

}  // namespace kvzip
