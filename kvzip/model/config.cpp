#include "kvzip/model/config.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>

#include "kvzip/base/error.h"

namespace kvzip {
namespace {

class Keys {
 public:
  Keys(const Gguf& file, std::string_view arch) : file_(&file), arch_(arch) {}
  std::string name(std::string_view key) const { return fmt::format("{}.{}", arch_, key); }

  size_t size(std::string_view key, uint64_t most) const {
    return checked(name(key), file_->get_uint(name(key)), most);
  }
  size_t size_or(std::string_view key, size_t otherwise, uint64_t most) const {
    const auto found = file_->find_uint(name(key));
    return found ? checked(name(key), *found, most) : otherwise;
  }
  double positive_or(std::string_view key, double otherwise) const {
    const double value = file_->find_float(name(key)).value_or(otherwise);
    if (!(value > 0) || !std::isfinite(value))
      fail(name(key), fmt::format("expected a positive number, found {}", value));
    return value;
  }
  [[noreturn]] void fail(const std::string& key, const std::string& what) const {
    throw Error(ErrorCode::input, fmt::format("{}: {}: {}", file_->path(), key, what));
  }

 private:
  size_t checked(const std::string& key, uint64_t value, uint64_t most) const {
    if (value == 0 || value > most) fail(key, fmt::format("expected 1 to {}, found {}", most, value));
    return value;
  }

  const Gguf* file_;
  std::string arch_;
};

/// Llama 3.1's scaling, which its GGUF files hold as one divisor per pair.
std::vector<float> read_divisors(const Gguf& file, size_t pairs) {
  const StoredTensor tensor = file.tensor("rope_freqs.weight");
  const auto fail = [&](const std::string& what) {
    throw Error(ErrorCode::input, fmt::format("{}: tensor rope_freqs.weight: {}", file.path(), what));
  };
  if (tensor.dtype != DType::f32 || tensor.data.size() != pairs * sizeof(float)) {
    fail(fmt::format("expected {} f32 values, found {} bytes of {}", pairs, tensor.data.size(),
                     dtype_name(tensor.dtype)));
  }
  std::vector<float> divisors(pairs);
  std::memcpy(divisors.data(), tensor.data.data(), tensor.data.size());
  for (const float value : divisors) {
    if (!(value > 0) || !std::isfinite(value)) fail(fmt::format("expected positive numbers, found {}", value));
  }
  return divisors;
}

RopeConfig read_rope(const Gguf& file, const Keys& keys, const ModelConfig& config) {
  RopeConfig rope;
  rope.base = keys.positive_or("rope.freq_base", 10000);
  rope.dims = keys.size_or("rope.dimension_count", config.head_dim, config.head_dim);
  if (rope.dims % 2 != 0)
    keys.fail(keys.name("rope.dimension_count"), fmt::format("expected an even number, found {}", rope.dims));
  const std::string_view type = file.find_string(keys.name("rope.scaling.type")).value_or("none");
  if (type == "linear") {
    rope.scaling = RopeScaling::linear;
  } else if (type == "yarn") {
    rope.scaling = RopeScaling::yarn;
    rope.original_context = keys.size("rope.scaling.original_context_length", kMaxWidth);
  } else if (type != "none") {
    throw Error(ErrorCode::unsupported, fmt::format("{}: {}: expected none, linear or yarn, found '{}'", file.path(),
                                                    keys.name("rope.scaling.type"), type));
  }
  if (file.has_tensor("rope_freqs.weight")) rope.frequency_divisors = read_divisors(file, rope.dims / 2);
  if (rope.scaling != RopeScaling::none) rope.factor = keys.positive_or("rope.scaling.factor", 1);
  return rope;
}

void read_windows(const Keys& keys, ModelConfig& config) {
  config.windows.assign(config.layers, 0);
  if (config.arch->window_pattern == 0) return;
  const size_t pattern = keys.size_or("attention.sliding_window_pattern", config.arch->window_pattern, kMaxLayers);
  const size_t window = keys.size("attention.sliding_window", kMaxWidth);
  if (window < 2)
    keys.fail(keys.name("attention.sliding_window"), fmt::format("expected at least 2, found {}", window));
  for (size_t layer = 0; layer < config.layers; ++layer) {
    if ((layer + 1) % pattern != 0) config.windows[layer] = window;
  }
  config.local_rope =
      RopeConfig{.base = config.arch->local_rope_base, .dims = config.rope.dims, .frequency_divisors = {}};
}

}  // namespace

void require_decoder(const ModelConfig& config) {
  if (!config.arch->bidirectional) return;
  throw Error(ErrorCode::unsupported,
              fmt::format("model: expected one that writes text, found {}, an encoder ({}): it has embeddings and "
                          "attention, but no answers",
                          config.name, config.arch->name));
}

void require_encoder(const ModelConfig& config) {
  if (config.arch->bidirectional) return;
  throw Error(ErrorCode::unsupported,
              fmt::format("model: expected an encoder, such as BERT, found {} ({})", config.name, config.arch->name));
}

ModelConfig read_config(const Gguf& file) {
  ModelConfig config;
  config.arch = &arch_by_name(file.get_string("general.architecture"));
  const Keys keys(file, config.arch->name);
  config.name = std::string(file.find_string("general.name").value_or(config.arch->name));
  config.layers = keys.size("block_count", kMaxLayers);
  config.hidden = keys.size("embedding_length", kMaxWidth);
  config.own_kv_layers = config.layers;
  config.heads = keys.size("attention.head_count", kMaxWidth);
  config.kv_heads = keys.size_or("attention.head_count_kv", config.heads, config.heads);
  if (config.heads % config.kv_heads != 0) {
    keys.fail(keys.name("attention.head_count"),
              fmt::format("expected a multiple of the {} KV heads, found {}", config.kv_heads, config.heads));
  }
  if (!file.has(keys.name("attention.key_length")) && config.hidden % config.heads != 0) {
    keys.fail(keys.name("embedding_length"),
              fmt::format("expected a multiple of the {} heads, found {}", config.heads, config.hidden));
  }
  config.head_dim = keys.size_or("attention.key_length", config.hidden / config.heads, kMaxWidth);
  if (keys.size_or("attention.value_length", config.head_dim, kMaxWidth) != config.head_dim) {
    throw Error(ErrorCode::unsupported, fmt::format("{}: {}: expected the {} of the keys", file.path(),
                                                    keys.name("attention.value_length"), config.head_dim));
  }
  config.feed_forward = keys.size("feed_forward_length", kMaxWidth);
  config.context_length = keys.size("context_length", kMaxContext);
  config.norm_eps = static_cast<float>(keys.positive_or(
      config.arch->layer_norm ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon", 1e-5));
  const size_t query_dim =
      config.layers == config.arch->wide_query_layers ? config.hidden / config.heads : config.head_dim;
  config.attention_scale = static_cast<float>(1 / std::sqrt(static_cast<double>(query_dim)));
  config.activation = config.arch->activation;
  if (config.arch->token_types) config.token_types = keys.size_or("token_type_count", 2, kMaxWidth);
  config.rope_pairing = config.arch->gguf_rope;
  if (!config.arch->learned_positions) config.rope = read_rope(file, keys, config);
  config.tied_output = !file.has_tensor("output.weight");
  config.qkv_bias = config.arch->qkv_bias || file.has_tensor("blk.0.attn_q.bias");
  config.attention_output_bias = config.arch->output_bias || file.has_tensor("blk.0.attn_output.bias");
  config.feed_forward_bias = config.arch->output_bias || file.has_tensor("blk.0.ffn_up.bias");
  read_windows(keys, config);
  return config;
}

}  // namespace kvzip
