// Dot products of the weight formats with blocks of 32 values (Q4_0, Q4_1, Q5_0, Q5_1, Q8_0) and several rows of
// activations at once, with AVX-512 VNNI. Weights are unpacked once for up to eight rows, which ggml's dot products do
// row by row: all layers of SmolLM2 (62 MB of Q4_1) on one thread of Zen 5 take 2.4 ms for 1 row and 8.2 ms for 8,
// ggml's 3.8 and 30.5. Stateless; safe from any number of threads.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kvzip/tensor/dtype.h"

namespace kvzip {

/// Values of activations that are encoded together: four blocks.
inline constexpr size_t kQuadValues = 128;

/// Four blocks of activations in 8 bits, each with its own scale. Lane i of `scale` and `sum` belongs to block i / 4.
struct alignas(64) ActivationQuad {
  int8_t low[64];   ///< values 0 to 15 of each block
  int8_t high[64];  ///< values 16 to 31 of each block
  float scale[16];  ///< of the lane's block
  float sum[16];    ///< scale * sum of the block's 8-bit values in its first lane, zero in the others
};

constexpr size_t quads_of(size_t values) { return (values + kQuadValues - 1) / kQuadValues; }

/// Encodes `values` activations, a multiple of 32, to quads_of(values) quads.
using EncodeQuads = void (*)(const float* in, size_t values, ActivationQuad* out);

/// Rows of activations that one call multiplies.
inline constexpr size_t kDotTokens = 8;

struct BlockDotArgs {
  const std::byte* weights;  ///< `rows` rows of `values` values, `stride` bytes apart
  size_t stride;
  size_t rows;
  size_t values;
  const ActivationQuad* activations;  ///< `[tokens, quads_of(values)]`
  size_t tokens;                      ///< 1 to kDotTokens
  float* sums;                        ///< `[rows, tokens]`
};
using BlockDot = void (*)(const BlockDotArgs& args);

/// Null where the processor, the build or the format has none; encode_quads() is null exactly where all formats are.
BlockDot block_dot(DType weight);
EncodeQuads encode_quads();

/// What block_dots_avx512_vnni.cpp holds, whatever the processor; null in a build without those instructions.
BlockDot vnni_block_dot(DType weight);
EncodeQuads vnni_encode_quads();

}  // namespace kvzip
