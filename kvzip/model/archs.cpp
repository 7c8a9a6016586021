#include <fmt/format.h>

#include <array>

#include "kvzip/base/error.h"
#include "kvzip/base/quote.h"
#include "kvzip/model/arch.h"

namespace kvzip {
namespace {

constexpr std::array<HfTensorName, 21> kLlamaTensors = {{
    {"token_embd.weight", "embed_tokens.weight"},
    {"output_norm.weight", "norm.weight"},
    {"output.weight", "lm_head.weight"},
    {"blk.{}.attn_norm.weight", "layers.{}.input_layernorm.weight"},
    {"blk.{}.attn_q.weight", "layers.{}.self_attn.q_proj.weight"},
    {"blk.{}.attn_k.weight", "layers.{}.self_attn.k_proj.weight"},
    {"blk.{}.attn_v.weight", "layers.{}.self_attn.v_proj.weight"},
    {"blk.{}.attn_output.weight", "layers.{}.self_attn.o_proj.weight"},
    {"blk.{}.attn_q.bias", "layers.{}.self_attn.q_proj.bias"},
    {"blk.{}.attn_k.bias", "layers.{}.self_attn.k_proj.bias"},
    {"blk.{}.attn_v.bias", "layers.{}.self_attn.v_proj.bias"},
    {"blk.{}.attn_output.bias", "layers.{}.self_attn.o_proj.bias"},
    {"blk.{}.attn_q_norm.weight", "layers.{}.self_attn.q_norm.weight"},
    {"blk.{}.attn_k_norm.weight", "layers.{}.self_attn.k_norm.weight"},
    {"blk.{}.ffn_norm.weight", "layers.{}.post_attention_layernorm.weight"},
    {"blk.{}.ffn_gate.weight", "layers.{}.mlp.gate_proj.weight"},
    {"blk.{}.ffn_up.weight", "layers.{}.mlp.up_proj.weight"},
    {"blk.{}.ffn_down.weight", "layers.{}.mlp.down_proj.weight"},
    {"blk.{}.ffn_gate.bias", "layers.{}.mlp.gate_proj.bias"},
    {"blk.{}.ffn_up.bias", "layers.{}.mlp.up_proj.bias"},
    {"blk.{}.ffn_down.bias", "layers.{}.mlp.down_proj.bias"},
}};

constexpr std::array<HfTensorName, 20> kGemmaTensors = {{
    {"token_embd.weight", "embed_tokens.weight"},
    {"output_norm.weight", "norm.weight", true},
    {"output.weight", "lm_head.weight"},
    {"blk.{}.attn_norm.weight", "layers.{}.input_layernorm.weight", true},
    {"blk.{}.attn_q.weight", "layers.{}.self_attn.q_proj.weight"},
    {"blk.{}.attn_k.weight", "layers.{}.self_attn.k_proj.weight"},
    {"blk.{}.attn_v.weight", "layers.{}.self_attn.v_proj.weight"},
    {"blk.{}.attn_output.weight", "layers.{}.self_attn.o_proj.weight"},
    {"blk.{}.attn_q.bias", "layers.{}.self_attn.q_proj.bias"},
    {"blk.{}.attn_k.bias", "layers.{}.self_attn.k_proj.bias"},
    {"blk.{}.attn_v.bias", "layers.{}.self_attn.v_proj.bias"},
    {"blk.{}.attn_output.bias", "layers.{}.self_attn.o_proj.bias"},
    {"blk.{}.attn_q_norm.weight", "layers.{}.self_attn.q_norm.weight", true},
    {"blk.{}.attn_k_norm.weight", "layers.{}.self_attn.k_norm.weight", true},
    {"blk.{}.post_attention_norm.weight", "layers.{}.post_attention_layernorm.weight", true},
    {"blk.{}.ffn_norm.weight", "layers.{}.pre_feedforward_layernorm.weight", true},
    {"blk.{}.ffn_gate.weight", "layers.{}.mlp.gate_proj.weight"},
    {"blk.{}.ffn_up.weight", "layers.{}.mlp.up_proj.weight"},
    {"blk.{}.ffn_down.weight", "layers.{}.mlp.down_proj.weight"},
    {"blk.{}.post_ffw_norm.weight", "layers.{}.post_feedforward_layernorm.weight", true},
}};

// Layers with keys and values of their own as in Llama; those names with swiftkv, which no GGUF file has, for the
// others.
constexpr std::array<HfTensorName, 26> kSwiftKvTensors = {{
    {"token_embd.weight", "embed_tokens.weight"},
    {"output_norm.weight", "norm.weight"},
    {"output.weight", "lm_head.weight"},
    {"norm_swiftkv.weight", "norm_swiftkv.weight"},
    {"blk.{}.attn_norm.weight", "layers.{}.input_layernorm.weight"},
    {"blk.{}.attn_q.weight", "layers.{}.self_attn.q_proj.weight"},
    {"blk.{}.attn_k.weight", "layers.{}.self_attn.k_proj.weight"},
    {"blk.{}.attn_v.weight", "layers.{}.self_attn.v_proj.weight"},
    {"blk.{}.attn_q.bias", "layers.{}.self_attn.q_proj.bias"},
    {"blk.{}.attn_k.bias", "layers.{}.self_attn.k_proj.bias"},
    {"blk.{}.attn_v.bias", "layers.{}.self_attn.v_proj.bias"},
    {"blk.{}.attn_q_swiftkv.weight", "layers.{}.self_attn.q_proj_swiftkv.weight"},
    {"blk.{}.attn_k_swiftkv.weight", "layers.{}.self_attn.k_proj_swiftkv.weight"},
    {"blk.{}.attn_v_swiftkv.weight", "layers.{}.self_attn.v_proj_swiftkv.weight"},
    {"blk.{}.attn_q_swiftkv.bias", "layers.{}.self_attn.q_proj_swiftkv.bias"},
    {"blk.{}.attn_k_swiftkv.bias", "layers.{}.self_attn.k_proj_swiftkv.bias"},
    {"blk.{}.attn_v_swiftkv.bias", "layers.{}.self_attn.v_proj_swiftkv.bias"},
    {"blk.{}.attn_output.weight", "layers.{}.self_attn.o_proj.weight"},
    {"blk.{}.attn_output.bias", "layers.{}.self_attn.o_proj.bias"},
    {"blk.{}.ffn_norm.weight", "layers.{}.post_attention_layernorm.weight"},
    {"blk.{}.ffn_gate.weight", "layers.{}.mlp.gate_proj.weight"},
    {"blk.{}.ffn_up.weight", "layers.{}.mlp.up_proj.weight"},
    {"blk.{}.ffn_down.weight", "layers.{}.mlp.down_proj.weight"},
    {"blk.{}.ffn_gate.bias", "layers.{}.mlp.gate_proj.bias"},
    {"blk.{}.ffn_up.bias", "layers.{}.mlp.up_proj.bias"},
    {"blk.{}.ffn_down.bias", "layers.{}.mlp.down_proj.bias"},
}};

constexpr std::array<HfTensorName, 17> kGpt2Tensors = {{
    {"token_embd.weight", "wte.weight"},
    {"position_embd.weight", "wpe.weight"},
    {"output_norm.weight", "ln_f.weight"},
    {"output_norm.bias", "ln_f.bias"},
    {"output.weight", "lm_head.weight"},
    {"blk.{}.attn_norm.weight", "h.{}.ln_1.weight"},
    {"blk.{}.attn_norm.bias", "h.{}.ln_1.bias"},
    {.ours = "blk.{}.attn_qkv.weight", .theirs = "h.{}.attn.c_attn.weight", .transposed = true},
    {"blk.{}.attn_qkv.bias", "h.{}.attn.c_attn.bias"},
    {.ours = "blk.{}.attn_output.weight", .theirs = "h.{}.attn.c_proj.weight", .transposed = true},
    {"blk.{}.attn_output.bias", "h.{}.attn.c_proj.bias"},
    {"blk.{}.ffn_norm.weight", "h.{}.ln_2.weight"},
    {"blk.{}.ffn_norm.bias", "h.{}.ln_2.bias"},
    {.ours = "blk.{}.ffn_up.weight", .theirs = "h.{}.mlp.c_fc.weight", .transposed = true},
    {"blk.{}.ffn_up.bias", "h.{}.mlp.c_fc.bias"},
    {.ours = "blk.{}.ffn_down.weight", .theirs = "h.{}.mlp.c_proj.weight", .transposed = true},
    {"blk.{}.ffn_down.bias", "h.{}.mlp.c_proj.bias"},
}};

constexpr std::array<HfTensorName, 23> kBertTensors = {{
    {"token_embd.weight", "embeddings.word_embeddings.weight"},
    {"position_embd.weight", "embeddings.position_embeddings.weight"},
    {"token_types.weight", "embeddings.token_type_embeddings.weight"},
    {"token_embd_norm.weight", "embeddings.LayerNorm.weight"},
    {"token_embd_norm.bias", "embeddings.LayerNorm.bias"},
    {"pooler.weight", "pooler.dense.weight"},
    {"pooler.bias", "pooler.dense.bias"},
    {"blk.{}.attn_q.weight", "encoder.layer.{}.attention.self.query.weight"},
    {"blk.{}.attn_q.bias", "encoder.layer.{}.attention.self.query.bias"},
    {"blk.{}.attn_k.weight", "encoder.layer.{}.attention.self.key.weight"},
    {"blk.{}.attn_k.bias", "encoder.layer.{}.attention.self.key.bias"},
    {"blk.{}.attn_v.weight", "encoder.layer.{}.attention.self.value.weight"},
    {"blk.{}.attn_v.bias", "encoder.layer.{}.attention.self.value.bias"},
    {"blk.{}.attn_output.weight", "encoder.layer.{}.attention.output.dense.weight"},
    {"blk.{}.attn_output.bias", "encoder.layer.{}.attention.output.dense.bias"},
    {"blk.{}.attn_output_norm.weight", "encoder.layer.{}.attention.output.LayerNorm.weight"},
    {"blk.{}.attn_output_norm.bias", "encoder.layer.{}.attention.output.LayerNorm.bias"},
    {"blk.{}.ffn_up.weight", "encoder.layer.{}.intermediate.dense.weight"},
    {"blk.{}.ffn_up.bias", "encoder.layer.{}.intermediate.dense.bias"},
    {"blk.{}.ffn_down.weight", "encoder.layer.{}.output.dense.weight"},
    {"blk.{}.ffn_down.bias", "encoder.layer.{}.output.dense.bias"},
    {"blk.{}.layer_output_norm.weight", "encoder.layer.{}.output.LayerNorm.weight"},
    {"blk.{}.layer_output_norm.bias", "encoder.layer.{}.output.LayerNorm.bias"},
}};

constexpr std::array<HfFlag, 2> kBertFlags = {{{"is_decoder", false, false}, {"add_cross_attention", false, false}}};
constexpr std::array<HfSetting, 1> kBertSettings = {{{"position_embedding_type", "absolute"}}};
constexpr std::array<HfFlag, 1> kSwiftKvFlags = {{{"swiftkv", true, false}}};
constexpr std::array<HfFlag, 3> kGpt2Flags = {{{"scale_attn_weights", true, true},
                                               {"scale_attn_by_inverse_layer_idx", false, false},
                                               {"add_cross_attention", false, false}}};

constexpr std::array<HfFamily, 3> kLlamaFolders = {{
    {.model_type = "llama",
     .architecture = "LlamaForCausalLM",
     .tensors = kLlamaTensors,
     .defaults = {.context = 2048, .vocab = 32000}},
    {.model_type = "mistral",
     .architecture = "MistralForCausalLM",
     .tensors = kLlamaTensors,
     .windows = HfWindows::all,
     .defaults = {.kv_heads = 8, .context = 131072, .vocab = 32000}},
    {.model_type = "llama_swiftkv",
     .architecture = "LlamaSwiftKVForCausalLM",
     .tensors = kSwiftKvTensors,
     .defaults = {.context = 2048, .vocab = 32000},
     .flags = kSwiftKvFlags,
     .shared_kv = true},
}};
constexpr std::array<HfFamily, 1> kQwen2Folders = {{
    {.model_type = "qwen2",
     .architecture = "Qwen2ForCausalLM",
     .tensors = kLlamaTensors,
     .windows = HfWindows::last,
     .defaults = {.kv_heads = 32, .context = 32768, .vocab = 151936}},
}};
constexpr std::array<HfFamily, 1> kQwen3Folders = {{
    {.model_type = "qwen3",
     .architecture = "Qwen3ForCausalLM",
     .tensors = kLlamaTensors,
     .windows = HfWindows::last,
     .defaults = {.kv_heads = 32, .head_dim = 128, .context = 32768, .vocab = 151936}},
}};
constexpr std::array<HfFamily, 1> kGemma3Folders = {{
    {.model_type = "gemma3_text",
     .architecture = "Gemma3ForCausalLM",
     .wrapper_type = "gemma3",
     .wrapper_architecture = "Gemma3ForConditionalGeneration",
     .tensors = kGemmaTensors,
     .windows = HfWindows::by_pattern,
     .keys = {.activation = "hidden_activation"},
     .defaults = {.heads = 8,
                  .kv_heads = 4,
                  .head_dim = 256,
                  .context = 131072,
                  .vocab = 262208,
                  .rope_base = 1e6,
                  .query_scalar = 256,
                  .tied_output = true}},
}};

constexpr std::array<HfFamily, 1> kGpt2Folders = {{
    {.model_type = "gpt2",
     .architecture = "GPT2LMHeadModel",
     .tensors = kGpt2Tensors,
     .keys = {.layers = "n_layer",
              .hidden = "n_embd",
              .heads = "n_head",
              .feed_forward = "n_inner",
              .context = "n_positions",
              .norm_eps = "layer_norm_epsilon",
              .activation = "activation_function"},
     .defaults = {.feed_forward_factor = 4, .context = 1024, .vocab = 50257, .norm_eps = 1e-5, .tied_output = true},
     .flags = kGpt2Flags},
}};

constexpr std::array<HfFamily, 1> kBertFolders = {{
    {.model_type = "bert",
     .architecture = "Bert",
     .any_head = true,
     .tensors = kBertTensors,
     .keys = {.norm_eps = "layer_norm_eps"},
     .defaults = {.context = 512, .vocab = 30522, .norm_eps = 1e-12, .tied_output = true},
     .flags = kBertFlags,
     .settings = kBertSettings},
}};

constexpr std::array<Arch, 6> kArchs = {{
    {.name = "llama",
     .title = "Llama 2, 3, 3.1, 3.2; Mistral; SmolLM2",
     .activation = Activation::silu,
     .gated = true,
     .layer_norm = false,
     .post_norm = false,
     .bidirectional = false,
     .token_types = false,
     .gguf_rope = RopePairing::adjacent,
     .learned_positions = false,
     .fused_qkv = false,
     .qkv_bias = false,
     .output_bias = false,
     .qk_norm = false,
     .sandwich_norms = false,
     .scale_embedding = false,
     .window_pattern = 0,
     .local_rope_base = 0,
     .wide_query_layers = 0,
     .hf = kLlamaFolders},
    {.name = "qwen2",
     .title = "Qwen2, Qwen2.5",
     .activation = Activation::silu,
     .gated = true,
     .layer_norm = false,
     .post_norm = false,
     .bidirectional = false,
     .token_types = false,
     .gguf_rope = RopePairing::halves,
     .learned_positions = false,
     .fused_qkv = false,
     .qkv_bias = true,
     .output_bias = false,
     .qk_norm = false,
     .sandwich_norms = false,
     .scale_embedding = false,
     .window_pattern = 0,
     .local_rope_base = 0,
     .wide_query_layers = 0,
     .hf = kQwen2Folders},
    {.name = "qwen3",
     .title = "Qwen3",
     .activation = Activation::silu,
     .gated = true,
     .layer_norm = false,
     .post_norm = false,
     .bidirectional = false,
     .token_types = false,
     .gguf_rope = RopePairing::halves,
     .learned_positions = false,
     .fused_qkv = false,
     .qkv_bias = false,
     .output_bias = false,
     .qk_norm = true,
     .sandwich_norms = false,
     .scale_embedding = false,
     .window_pattern = 0,
     .local_rope_base = 0,
     .wide_query_layers = 0,
     .hf = kQwen3Folders},
    {.name = "gemma3",
     .title = "Gemma 3 (text)",
     .activation = Activation::gelu_tanh,
     .gated = true,
     .layer_norm = false,
     .post_norm = false,
     .bidirectional = false,
     .token_types = false,
     .gguf_rope = RopePairing::halves,
     .learned_positions = false,
     .fused_qkv = false,
     .qkv_bias = false,
     .output_bias = false,
     .qk_norm = true,
     .sandwich_norms = true,
     .scale_embedding = true,
     .window_pattern = 6,
     .local_rope_base = 10000,
     .wide_query_layers = 62,  // the 27B model
     .hf = kGemma3Folders},
    {.name = "gpt2",
     .title = "GPT-2",
     .activation = Activation::gelu_tanh,
     .gated = false,
     .layer_norm = true,
     .post_norm = false,
     .bidirectional = false,
     .token_types = false,
     .gguf_rope = RopePairing::halves,
     .learned_positions = true,
     .fused_qkv = true,
     .qkv_bias = true,
     .output_bias = true,
     .qk_norm = false,
     .sandwich_norms = false,
     .scale_embedding = false,
     .window_pattern = 0,
     .local_rope_base = 0,
     .wide_query_layers = 0,
     .hf = kGpt2Folders},
    {.name = "bert",
     .title = "BERT (encoder)",
     .activation = Activation::gelu_erf,
     .gated = false,
     .layer_norm = true,
     .post_norm = true,
     .bidirectional = true,
     .token_types = true,
     .gguf_rope = RopePairing::halves,
     .learned_positions = true,
     .fused_qkv = false,
     .qkv_bias = true,
     .output_bias = true,
     .qk_norm = false,
     .sandwich_norms = false,
     .scale_embedding = false,
     .window_pattern = 0,
     .local_rope_base = 0,
     .wide_query_layers = 0,
     .hf = kBertFolders},
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

HfMatch family_by_model_type(std::string_view file, std::string_view model_type) {
  std::string known;
  for (const Arch& arch : kArchs) {
    for (const HfFamily& family : arch.hf) {
      if (family.model_type == model_type) return {&arch, &family};
      if (!family.wrapper_type.empty() && family.wrapper_type == model_type) return {&arch, &family};
      known += fmt::format("{}{}", known.empty() ? "" : ", ", family.model_type);
      if (!family.wrapper_type.empty()) known += fmt::format(", {}", family.wrapper_type);
    }
  }
  throw Error(ErrorCode::unsupported,
              fmt::format("{}: model_type: expected one of {}, found {}", file, known, quote(model_type)));
}

}  // namespace kvzip
