#include <fmt/format.h>

#include <array>

#include "kvzip/base/error.h"
#include "kvzip/model/arch.h"

namespace kvzip {
namespace {

constexpr std::array<Arch, 5> kArchs = {{
    {.name = "llama",
     .title = "Llama 2, 3, 3.1, 3.2; Mistral; SmolLM2",
     .activation = Activation::silu,
     .gated = true,
     .layer_norm = false,
     .rope = RopePairing::adjacent,
     .learned_positions = false,
     .fused_qkv = false,
     .qkv_bias = false,
     .output_bias = false,
     .qk_norm = false,
     .sandwich_norms = false,
     .scale_embedding = false,
     .window_pattern = 0,
     .local_rope_base = 0,
     .wide_query_layers = 0},
    {.name = "qwen2",
     .title = "Qwen2, Qwen2.5",
     .activation = Activation::silu,
     .gated = true,
     .layer_norm = false,
     .rope = RopePairing::halves,
     .learned_positions = false,
     .fused_qkv = false,
     .qkv_bias = true,
     .output_bias = false,
     .qk_norm = false,
     .sandwich_norms = false,
     .scale_embedding = false,
     .window_pattern = 0,
     .local_rope_base = 0,
     .wide_query_layers = 0},
    {.name = "qwen3",
     .title = "Qwen3",
     .activation = Activation::silu,
     .gated = true,
     .layer_norm = false,
     .rope = RopePairing::halves,
     .learned_positions = false,
     .fused_qkv = false,
     .qkv_bias = false,
     .output_bias = false,
     .qk_norm = true,
     .sandwich_norms = false,
     .scale_embedding = false,
     .window_pattern = 0,
     .local_rope_base = 0,
     .wide_query_layers = 0},
    {.name = "gemma3",
     .title = "Gemma 3 (text)",
     .activation = Activation::gelu_tanh,
     .gated = true,
     .layer_norm = false,
     .rope = RopePairing::halves,
     .learned_positions = false,
     .fused_qkv = false,
     .qkv_bias = false,
     .output_bias = false,
     .qk_norm = true,
     .sandwich_norms = true,
     .scale_embedding = true,
     .window_pattern = 6,
     .local_rope_base = 10000,
     .wide_query_layers = 62},  // the 27B model
    {.name = "gpt2",
     .title = "GPT-2",
     .activation = Activation::gelu_tanh,
     .gated = false,
     .layer_norm = true,
     .rope = RopePairing::halves,
     .learned_positions = true,
     .fused_qkv = true,
     .qkv_bias = true,
     .output_bias = true,
     .qk_norm = false,
     .sandwich_norms = false,
     .scale_embedding = false,
     .window_pattern = 0,
     .local_rope_base = 0,
     .wide_query_layers = 0},
}};

}  // namespace

std::span<const Arch> archs() { return kArchs; }

const Arch& arch_by_name(std::string_view name) {
  std::string known;
  for (const Arch& arch : kArchs) {
    if (arch.name == name) return arch;
    known += known.empty() ? "" : ", ";
    known += arch.name;
  }
  throw Error(ErrorCode::unsupported, fmt::format("general.architecture: expected one of {}, found '{}'", known, name));
}

}  // namespace kvzip
