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
#include <utility>
#include <vector>

namespace kvzip {

/// Of each head, `[scored layers * kv_heads]`, one entry per row held, in stored order.
struct RowOrder {
  std::vector<std::vector<uint32_t>> positions;  ///< in the document, 0 = its first token
  std::vector<std::vector<uint32_t>> ranks;
};

/// Heads one after the other, each from a byte of its own on, so that any of them can be decoded by itself.
struct EncodedOrder {
  std::vector<std::byte> bytes;
  std::vector<uint32_t> head_bytes;  ///< that each head takes of them
};

/// Throws Error{unsupported} for a head that takes 4 GiB.
EncodedOrder encode_order(const RowOrder& order, size_t document_len);

/// What an order is decoded from; spans outlive their use. Nothing of it is believed.
struct OrderSource {
  std::span<const std::byte> bytes;
  std::span<const uint32_t> head_bytes;
  std::span<const uint32_t> rows;  ///< of each head
  size_t document_len = 0;
  const std::string& path;  ///< the name that errors give
};

/// Decodes heads in any order; different ones on any threads at the same time.
class OrderDecoder {
 public:
  /// Throws Error{input} where heads end elsewhere than the bytes do, or have fewer bits than rows.
  explicit OrderDecoder(const OrderSource& source);
  /// Throws Error{input} where a position lies outside the document or comes twice, where a rank is not below the
  /// number of rows, or where bits are missing or left.
  void decode(size_t head);
  /// What was decoded; rows of other heads are missing.
  RowOrder take() { return std::move(order_); }

 private:
  OrderSource source_;
  uint64_t total_rows_ = 0;
  std::vector<std::span<const std::byte>> parts_;  // of each head
  RowOrder order_;
};

/// All of it, on all threads.
RowOrder decode_order(const OrderSource& source);

}  // namespace kvzip
