// What a KV cache of a model looks like: shared by Tail and Context. Its layers are the model's KV layers, of which
// there are fewer than layers where several use the same keys and values.
#pragma once

#include <cstddef>
#include <vector>

#include "kvzip/tensor/dtype.h"

namespace kvzip {

/// The type of rows that are still written one by one while a finished context holds `kv_type`: a tail is never
/// quantised.
inline DType tail_type(DType kv_type) { return is_quantised(kv_type) ? DType::f16 : kv_type; }

struct CacheShape {
  size_t kv_heads = 0;
  size_t head_dim = 0;
  /// Per KV layer: keys that a query sees, its own included; 0 = all of them. Only layers with 0 are scored and
  /// compressed.
  std::vector<size_t> windows;
  DType dtype = DType::f16;

  size_t layers() const { return windows.size(); }
  /// Bytes of one head's keys (or values) of one token.
  size_t head_row_bytes() const { return padded_row_bytes(dtype, head_dim); }
  /// Bytes of keys and values of one token over all layers.
  size_t token_bytes() const { return 2 * layers() * kv_heads * head_row_bytes(); }
  /// Layers that see everything, in order: the ones that KVzip scores.
  std::vector<size_t> global_layers() const {
    std::vector<size_t> found;
    for (size_t layer = 0; layer < windows.size(); ++layer) {
      if (windows[layer] == 0) found.push_back(layer);
    }
    return found;
  }
};

}  // namespace kvzip
