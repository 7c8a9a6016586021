#include "kvzip/model/hf_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

namespace kvzip {
namespace {

/// Sizes without which there is no model: zero stands for a default that there isn't.
size_t size_of(const JsonFields& fields, std::string_view key, size_t otherwise, uint64_t most) {
  return fields.uint_or(key, otherwise, 1, most);
}

void refuse(const JsonFields& fields, std::string_view key) {
  if (fields.has(key)) fields.fail(key, "none, as this version has no support for it", ErrorCode::unsupported);
}

/// The classes that a folder's weights are for, where it says so.
void expect_architecture(const JsonFields& top, const HfFamily& family) {
  const auto classes = top.find_strings("architectures");
  if (!classes || classes->empty()) return;
  const bool ours = std::ranges::any_of(*classes, [&](std::string_view name) {
    return name == family.architecture || (family.any_head && name.starts_with(family.architecture)) ||
           (!name.empty() && name == family.wrapper_architecture);
  });
  if (ours) return;
  throw Error(ErrorCode::unsupported,
              fmt::format("{}: architectures: expected {} for model_type {}, found '{}'", top.file(),
                          family.architecture, family.model_type, fmt::join(*classes, ", ")));
}

struct NamedActivation {
  std::string_view name;
  Activation activation;
};
constexpr std::array<NamedActivation, 6> kActivations = {{{"silu", Activation::silu},
                                                          {"swish", Activation::silu},
                                                          {"gelu", Activation::gelu_erf},
                                                          {"gelu_new", Activation::gelu_tanh},
                                                          {"gelu_pytorch_tanh", Activation::gelu_tanh},
                                                          {"relu", Activation::relu}}};

Activation read_activation(const JsonFields& fields, const HfFamily& family, Activation otherwise) {
  const auto name = fields.find_string(family.keys.activation);
  if (!name) return otherwise;
  const auto* const known = std::ranges::find(kActivations, *name, &NamedActivation::name);
  if (known != kActivations.end()) return known->activation;
  fields.fail(family.keys.activation, "silu, gelu, gelu_new, gelu_pytorch_tanh or relu", ErrorCode::unsupported);
}

void read_sizes(const JsonFields& fields, const HfFamily& family, ModelConfig& config) {
  const HfDefaults& otherwise = family.defaults;
  config.layers = size_of(fields, family.keys.layers, 0, kMaxLayers);
  config.own_kv_layers = config.layers;
  config.hidden = size_of(fields, family.keys.hidden, 0, kMaxWidth);
  config.heads = size_of(fields, family.keys.heads, otherwise.heads, kMaxWidth);
  const size_t kv_heads = otherwise.kv_heads == 0 ? config.heads : otherwise.kv_heads;
  config.kv_heads = size_of(fields, "num_key_value_heads", kv_heads, config.heads);
  if (config.heads % config.kv_heads != 0)
    fields.fail(family.keys.heads, fmt::format("a multiple of the {} KV heads", config.kv_heads));
  size_t head_dim = otherwise.head_dim;
  if (head_dim == 0 && !fields.has("head_dim")) {
    if (config.hidden % config.heads != 0)
      fields.fail(family.keys.hidden, fmt::format("a multiple of the {} heads", config.heads));
    head_dim = config.hidden / config.heads;
  }
  config.head_dim = size_of(fields, "head_dim", head_dim, kMaxWidth);
  const size_t feed_forward = otherwise.feed_forward_factor * config.hidden;
  config.feed_forward = size_of(fields, family.keys.feed_forward, feed_forward, kMaxWidth);
  config.vocab = size_of(fields, "vocab_size", otherwise.vocab, kMaxWidth);
  config.context_length = size_of(fields, family.keys.context, otherwise.context, kMaxContext);
  config.norm_eps = static_cast<float>(fields.positive_or(family.keys.norm_eps, otherwise.norm_eps));
}

void expect_flags_and_settings(const JsonFields& fields, const HfFamily& family) {
  for (const HfFlag& flag : family.flags) {
    if (fields.find_bool(flag.key).value_or(flag.otherwise) != flag.needed)
      fields.fail(flag.key, flag.needed ? "true" : "false", ErrorCode::unsupported);
  }
  for (const HfSetting& setting : family.settings) {
    if (fields.find_string(setting.key).value_or(setting.needed) != setting.needed)
      fields.fail(setting.key, setting.needed, ErrorCode::unsupported);
  }
}

void read_shared_kv(const JsonFields& fields, const HfFamily& family, ModelConfig& config) {
  config.own_kv_layers = config.layers;
  if (!family.shared_kv) return;
  config.own_kv_layers = size_of(fields, "num_key_value_layers", config.layers, config.layers);
  config.kv_group = size_of(fields, "key_value_group_size", 1, config.layers);
  const size_t others = config.layers - config.own_kv_layers;
  if (others % config.kv_group != 0)
    fields.fail("key_value_group_size", fmt::format("a divisor of the {} layers that share keys and values", others));
}

/// Whether each layer slides, where the file lists them.
std::optional<std::vector<bool>> listed_layers(const JsonFields& fields, size_t layers) {
  const auto types = fields.find_strings("layer_types");
  if (!types) return std::nullopt;
  if (types->size() != layers) fields.fail("layer_types", fmt::format("one for each of {} layers", layers));
  std::vector<bool> slides;
  for (const std::string_view type : *types) {
    if (type != "full_attention" && type != "sliding_attention") {
      throw Error(ErrorCode::unsupported,
                  fmt::format("{}: layer_types: expected full_attention or sliding_attention, found '{}'",
                              fields.file(), type));
    }
    slides.push_back(type == "sliding_attention");
  }
  return slides;
}

/// The rule of the family's class.
std::vector<bool> sliding_layers(const JsonFields& fields, const HfFamily& family, const ModelConfig& config) {
  std::vector<bool> slides(config.layers);
  if (family.windows == HfWindows::all) slides.assign(config.layers, true);
  if (family.windows == HfWindows::last && fields.find_bool("use_sliding_window").value_or(false)) {
    const uint64_t first = fields.uint_or("max_window_layers", 28, 0, kMaxLayers);
    for (size_t layer = first; layer < config.layers; ++layer) slides[layer] = true;
  }
  if (family.windows == HfWindows::by_pattern) {
    const std::string_view key =
        fields.has("sliding_window_pattern") ? "sliding_window_pattern" : "_sliding_window_pattern";
    const size_t pattern = size_of(fields, key, config.arch->window_pattern, kMaxLayers);
    for (size_t layer = 0; layer < config.layers; ++layer) slides[layer] = (layer + 1) % pattern != 0;
  }
  return slides;
}

void read_windows(const JsonFields& fields, const HfFamily& family, ModelConfig& config) {
  config.windows.assign(config.layers, 0);
  const auto listed = listed_layers(fields, config.layers);
  const std::vector<bool> slides = listed ? *listed : sliding_layers(fields, family, config);
  if (std::ranges::find(slides, true) == slides.end()) return;
  // A window of null means that nothing slides; one that is absent has its default.
  const bool is_null = fields.is_null("sliding_window");
  if (is_null && !listed) return;
  const size_t window = fields.uint_or("sliding_window", is_null ? 0 : family.defaults.window, 2, kMaxContext);
  for (size_t layer = 0; layer < config.layers; ++layer) config.windows[layer] = slides[layer] ? window : 0;
}

}  // namespace

HfConfig read_hf_config(const std::string& path, const nlohmann::json& document) {
  const JsonFields top(path, document);
  const auto type = top.find_string("model_type");
  if (!type) top.fail("model_type", "the name of a family of models");
  const auto [arch, family] = family_by_model_type(path, *type);
  expect_architecture(top, *family);
  const bool wrapped = *type == family->wrapper_type;
  const auto inner = wrapped ? top.find_object("text_config") : std::nullopt;
  if (wrapped && !inner) top.fail("text_config", "the text model's hyperparameters");
  const JsonFields& fields = wrapped ? *inner : top;
  if (wrapped && fields.find_string("model_type").value_or(family->model_type) != family->model_type)
    fields.fail("model_type", family->model_type, ErrorCode::unsupported);

  HfConfig config{.model = {}, .family = family};
  ModelConfig& model = config.model;
  model.arch = arch;
  read_sizes(fields, *family, model);
  read_shared_kv(fields, *family, model);
  expect_flags_and_settings(fields, *family);
  refuse(top, "quantization_config");
  for (const std::string_view key : {"attn_logit_softcapping", "final_logit_softcapping"}) refuse(fields, key);
  if (fields.find_bool("use_bidirectional_attention").value_or(false))
    fields.fail("use_bidirectional_attention", "false", ErrorCode::unsupported);
  model.activation = read_activation(fields, *family, arch->activation);
  if (arch->token_types) model.token_types = size_of(fields, "type_vocab_size", 2, kMaxWidth);
  auto scale_of = static_cast<double>(model.head_dim);
  if (family->defaults.query_scalar > 0)
    scale_of = fields.positive_or("query_pre_attn_scalar", family->defaults.query_scalar);
  model.attention_scale = static_cast<float>(1 / std::sqrt(scale_of));
  model.tied_output = fields.find_bool("tie_word_embeddings")
                          .value_or(top.find_bool("tie_word_embeddings").value_or(family->defaults.tied_output));
  const bool attention_bias = fields.find_bool("attention_bias").value_or(false);
  model.qkv_bias = arch->qkv_bias || attention_bias;
  model.attention_output_bias = arch->output_bias || attention_bias;
  model.feed_forward_bias = arch->output_bias || fields.find_bool("mlp_bias").value_or(false);
  model.rope_pairing = RopePairing::halves;
  if (!arch->learned_positions) read_hf_rope(fields, *family, model);
  read_windows(fields, *family, model);
  return config;
}

}  // namespace kvzip
