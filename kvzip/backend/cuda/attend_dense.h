// Attention of many queries over one segment with cuDNN's fused kernels (tensor cores; nothing of size [queries, keys]
// is stored): heads of one length that lie evenly, or heads of different lengths, of which every query sees all rows.
// Graphs are built once per shape and kept. cuDNN is found when it is first needed. Used by one thread at a time.
#pragma once

#include <memory>
#include <vector>

#include "kvzip/backend/backend.h"
#include "kvzip/backend/cuda/device_memory.h"

namespace kvzip::cuda {

struct DenseArgs {
  ConstView q;                    ///< `[tokens, heads * head_dim]` of the type of the rows
  std::span<const KvRows> heads;  ///< `[kv_heads]`, evenly spaced and of one length: is_dense()
  size_t head_dim = 0;
  float scale = 1;
  bool causal = false;        ///< the last query sees all rows, each one before it one row less
  size_t window = 0;          ///< where causal: rows that a query sees, its own included; 0 = all
  View out;                   ///< the shape and type of q
  float* log_sums = nullptr;  ///< `[heads, tokens]`: log of the sum of exp(logits); null = not wanted
  /// Device memory: places_of() the heads, where they are ragged. What belongs to a head without rows isn't written.
  const int32_t* places = nullptr;
};

/// True if every head has as many rows as the first, and keys and values lie evenly spaced and aligned for cuDNN.
bool is_dense(std::span<const KvRows> heads, DType dtype, size_t head_dim);

/// True if heads of any lengths, not all of them 0, lie so that cuDNN can find them: aligned, whole rows apart, and
/// within 2^31 values.
bool is_ragged(std::span<const KvRows> heads, DType dtype, size_t head_dim);

/// What cuDNN needs to know of ragged heads: `[kv_heads]` times the number of queries, `[kv_heads]` lengths, and twice
/// `[kv_heads + 1]` values from the first key (value) to a head's.
std::vector<int32_t> places_of(std::span<const KvRows> heads, size_t tokens, DType dtype, size_t head_dim);

class DenseAttention {
 public:
  /// Both must outlive it.
  DenseAttention(DeviceMemory& memory, cudaStream_t stream);
  ~DenseAttention();
  DenseAttention(const DenseAttention&) = delete;
  DenseAttention& operator=(const DenseAttention&) = delete;

  /// Throws Error{unsupported} where cuDNN isn't there or has no kernel for the shape on this GPU.
  void run(const DenseArgs& args);

 private:
  struct Cudnn;
  cudaStream_t stream_;
  DeviceScratch workspace_;
  std::unique_ptr<Cudnn> cudnn_;  // from the first run on
};

}  // namespace kvzip::cuda
