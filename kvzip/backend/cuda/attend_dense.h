// Attention of many queries over one segment with cuDNN's fused kernels (tensor cores; nothing of size [queries, keys]
// is stored): heads of one length that lie evenly, or heads of different lengths, of which every query sees all rows.
// Graphs are built once per shape and kept. cuDNN is found when it is first needed. Used by one thread at a time.
#pragma once

#include <memory>
#include <span>
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
  /// Device memory: places_of() the heads, where they are ragged. What belongs to a head without rows isn't written,
  /// and log_sums are in the order of places.
  const int32_t* places = nullptr;
};

/// True if every head has as many rows as the first, and keys and values lie evenly spaced and aligned for cuDNN.
bool is_dense(std::span<const KvRows> heads, DType dtype, size_t head_dim);

/// True if heads of any lengths, not all of them 0, lie so that cuDNN can find them: aligned, whole rows apart, and
/// within 2^31 values.
bool is_ragged(std::span<const KvRows> heads, DType dtype, size_t head_dim);

/// What cuDNN needs to know of ragged heads: each KV head's rows and queries, heads with the most rows first, so that
/// none of them is begun when the others are done. Places are in values, from the first head's.
struct RaggedPlaces {
  const int32_t* tokens;   ///< `[kv_heads]` queries
  const int32_t* lengths;  ///< `[kv_heads]` rows
  const int32_t* keys;     ///< `[kv_heads + 1]` places, as the following
  const int32_t* values;
  const int32_t* queries;
  const int32_t* outs;
  const int32_t* turns;  ///< `[kv_heads]` in their own order: which one of the above each is

  /// Within numbers that places_of() gave for so many heads.
  RaggedPlaces(const int32_t* places, size_t kv_heads);
};

/// The numbers of RaggedPlaces for q and out of DenseArgs, which are of the rows' type.
std::vector<int32_t> places_of(std::span<const KvRows> heads, const ConstView& q, const View& out, size_t head_dim);

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
