// Element types of weights and caches, with the layout of the quantised ones (blocks of 32 or 256 values).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace kvzip {

enum class DType : uint8_t {
  f32,
  f16,
  bf16,
  q4_0,
  q4_1,
  q5_0,
  q5_1,
  q8_0,
  q2_k,
  q3_k,
  q4_k,
  q5_k,
  q6_k,
  iq4_nl,
  iq4_xs
};

inline constexpr size_t kDTypeCount = 15;

struct DTypeInfo {
  std::string_view name;
  size_t block_values;  ///< values per block; 1 for plain types
  size_t block_bytes;   ///< bytes per block
};

const DTypeInfo& dtype_info(DType dtype);

/// Bytes of one row of `cols` values; `cols` must be a multiple of the block.
size_t row_bytes(DType dtype, size_t cols);
/// The same for any `cols`: the last block is filled up with zeros. How rows of a KV cache are held.
size_t padded_row_bytes(DType dtype, size_t cols);

/// True for types in blocks that share a scale.
inline bool is_quantised(DType dtype) { return dtype_info(dtype).block_values > 1; }

inline std::string_view dtype_name(DType dtype) { return dtype_info(dtype).name; }

}  // namespace kvzip
