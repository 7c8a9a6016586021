// The arithmetic of attention: what a tile of a few query rows does with one block of keys and values. Three sets of
// kernels share one interface: f32 on rows as the cache holds them (few queries: bound by memory), f32 on packed panels
// and bf16 on packed panels (many queries: bound by arithmetic). Kernels keep no state and may run on any thread.
//
// Logits are in base 2: queries are packed with scale * log2(e), so that softmax needs only 2^x.
#pragma once

#include <cstddef>

#include "kvzip/backend/backend.h"

namespace kvzip::attention {

/// Query rows of a tile. 6 rows x 4 vectors of sums, 4 of keys and one of queries fill 29 of AVX-512's 32 registers.
inline constexpr size_t kTileRows = 6;
/// Keys of a panel: the columns that one product of a tile covers, 4 vectors of 16.
inline constexpr size_t kPanelKeys = 64;
/// Keys of a block, packed together and then used by all tiles of an item. On Zen 5, for head_dim 64 to 256, 128 is 1
/// to 3 % slower (more updates of the output), 512 within 3 % either way for twice the memory.
inline constexpr size_t kBlockKeys = 256;
/// Stands for the maximum of no logits; finite, so that a difference of two is never NaN.
inline constexpr float kNoMaximum = -1e30F;

constexpr size_t round_up(size_t value, size_t multiple) { return (value + multiple - 1) / multiple * multiple; }

/// Values of head_dim in one panel of packed values: at most 64, equal panels as far as vectors of 16 allow.
constexpr size_t value_panel(size_t head_dim) {
  const size_t panels = (head_dim + kPanelKeys - 1) / kPanelKeys;
  return round_up((head_dim + panels - 1) / panels, 16);
}

/// Values between rows of packed queries and of sums of values, and rows of a packed panel of keys: room for whole
/// panels of values. The same for all head_dims that fill as many blocks of 32.
constexpr size_t padded_dim(size_t head_dim) {
  const size_t dim = round_up(head_dim, 32);
  return round_up((dim + kPanelKeys - 1) / kPanelKeys * value_panel(dim), 32);
}

/// Rows of keys or of values as the cache holds them: `[count, head_dim]`, padded_row_bytes() apart.
struct RowBlock {
  const void* data;
  DType dtype;
  size_t count;
  size_t head_dim;
};

/// Columns of a block that one query row sees.
struct Visible {
  size_t begin;
  size_t end;
};

/// Some query rows against the keys [begin, end) of one block.
struct Tile {
  const void* queries;  ///< `[rows, padded_dim]` as packed
  size_t rows;          ///< at most kTileRows; exactly that for kernels of panels
  RowBlock keys;        ///< of the cache, or packed: then `data` is what pack_keys() wrote
  const void* values;   ///< likewise
  size_t begin;         ///< a multiple of kPanelKeys
  size_t end;
  const Visible* visible;  ///< `[rows]`, or null if every row sees [begin, end)
  void* probabilities;     ///< `[rows, kBlockKeys]` packed elements, written: 2^(logit - maximum), 0 where unseen
  float* maximum;          ///< `[rows]` running maximum of the logits
  float* sum;              ///< `[rows]` running sum of 2^(logit - maximum)
  float* out;              ///< `[rows, padded_dim]` running sum of 2^(logit - maximum) * value
};

struct ProductKernels {
  const char* name;
  size_t block_keys;  ///< keys per block: a multiple of kPanelKeys, at most kBlockKeys
  DType element;      ///< of packed queries, keys, values and of probabilities
  /// One row `[head_dim]` times `factor` to `[padded_dim]`.
  void (*pack_queries)(const float* query, size_t head_dim, float factor, void* to);
  /// Keys to `[panels][padded_dim][kPanelKeys]`; null where tiles take rows of the cache.
  void (*pack_keys)(const RowBlock& keys, void* to);
  /// Values to `[panels of value_panel() columns][kBlockKeys][value_panel()]`; null likewise.
  void (*pack_values)(const RowBlock& values, void* to);
  /// One step of the online softmax (Milakov and Gimelshein 2018; Dao et al. 2022).
  void (*attend)(const Tile& tile);
};

/// On rows of the cache; head_dim must be a multiple of 16.
const ProductKernels& row_products();
/// On packed panels, any head_dim: bf16 where `precision` allows it and the processor has it, else f32.
const ProductKernels& panel_products(Precision precision);

constexpr size_t element_bytes(const ProductKernels& kernels) { return kernels.element == DType::f32 ? 4 : 2; }

/// The f32 set of panel_products().
const ProductKernels& f32_panel_products();
/// The bf16 set, or null if this build has none. It may only be used where the processor has AVX512_BF16.
const ProductKernels* bf16_panel_products();

}  // namespace kvzip::attention
