// What distinguishes the model families: one row of data each. The layer loop (forward.cpp) reads these, it never names
// a family.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "kvzip/backend/backend.h"
#include "kvzip/model/hf_family.h"

namespace kvzip {

struct Arch {
  std::string_view name;         ///< `general.architecture` of GGUF files
  std::string_view title;        ///< for people
  Activation activation;         ///< of the feed-forward part, where the files don't say
  bool gated;                    ///< feed-forward: activation(gate) * up, not activation(up)
  bool layer_norm;               ///< LayerNorm with biases where the others have RMS norms
  bool post_norm;                ///< norms after each residual sum, not before attention and feed-forward; and one over
                                 ///< the embeddings in place of that before the output
  bool bidirectional;            ///< an encoder: every token sees all others, and what comes next is not its subject
  bool token_types;              ///< one learned vector for each of two texts is added to the embeddings
  RopePairing gguf_rope;         ///< as the family's GGUF files store q and k
  bool learned_positions;        ///< one learned vector per position is added to the embeddings, and there is no RoPE
  bool fused_qkv;                ///< q, k and v projections are the rows of one matrix, in this order
  bool qkv_bias;                 ///< q, k and v projections have biases
  bool output_bias;              ///< so have the projections after attention and of the feed-forward part
  bool qk_norm;                  ///< RMS norm over each head's q and k, before RoPE
  bool sandwich_norms;           ///< RMS norm also after attention and feed-forward, before the residual sum
  bool scale_embedding;          ///< embeddings times sqrt(hidden)
  size_t window_pattern;         ///< every n-th layer is global, the others slide; 0 = all global
  double local_rope_base;        ///< RoPE base of sliding layers; 0 = as the global ones
  size_t wide_query_layers;      ///< a model with so many layers scales its logits by hidden / heads, not head_dim; 0 =
                                 ///< none does
  std::span<const HfFamily> hf;  ///< its kinds of Hugging Face folders
};

/// All families, in the order of the documentation.
std::span<const Arch> archs();
/// Throws Error{unsupported} that names the families there are.
const Arch& arch_by_name(std::string_view name);

struct HfMatch {
  const Arch* arch;
  const HfFamily* family;
};
/// The family whose config.json has this model_type, be it of the text model or of a model around it. Throws
/// Error{unsupported} naming `file` and the types there are.
HfMatch family_by_model_type(std::string_view file, std::string_view model_type);

}  // namespace kvzip
