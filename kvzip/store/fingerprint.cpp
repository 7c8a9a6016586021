#include "kvzip/store/fingerprint.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "kvzip/base/error.h"
#include "kvzip/base/quote.h"
#include "kvzip/stages/prompt.h"
#include "kvzip/store/block_sum.h"

namespace kvzip {
namespace {

constexpr size_t kSampleBytes = 128;
constexpr size_t kShownBytes = 160;
constexpr size_t kShownDifferences = 2;  // of quite another model all values differ

/// All names that a tensor of a layer, and of the model, may have in any family.
constexpr std::array<std::string_view, 17> kLayerTensors = {
    "attn_norm",           "attn_q",         "attn_k",         "attn_v",      "attn_qkv",
    "attn_q_swiftkv",      "attn_k_swiftkv", "attn_v_swiftkv", "attn_output", "attn_q_norm",
    "attn_k_norm",         "ffn_norm",       "ffn_gate",       "ffn_up",      "ffn_down",
    "post_attention_norm", "post_ffw_norm"};
constexpr std::array<std::string_view, 4> kModelTensors = {"token_embd", "position_embd", "output_norm",
                                                           "norm_swiftkv"};

void add_tensor(const TensorSource& source, const std::string& name, TextHash& hash) {
  if (!source.has_tensor(name)) return;
  const StoredTensor tensor = source.tensor(name);
  hash.add(name);
  hash.add(fmt::format("{} [{}]", dtype_name(tensor.dtype), fmt::join(tensor.shape, ", ")));
  const size_t bytes = std::min(kSampleBytes, tensor.data.size());
  for (const size_t at : {size_t{0}, (tensor.data.size() - bytes) / 2, tensor.data.size() - bytes})
    hash.add(tensor.data.subspan(at, bytes));
}

std::string weights_hash(const Model& model) {
  TextHash hash;
  const auto add = [&](const std::string& name) {
    add_tensor(model.source(), name + ".weight", hash);
    add_tensor(model.source(), name + ".bias", hash);
  };
  for (const std::string_view name : kModelTensors) add(std::string(name));
  if (!model.config().tied_output) add("output");
  for (size_t layer = 0; layer < model.config().layers; ++layer) {
    for (const std::string_view name : kLayerTensors) add(fmt::format("blk.{}.{}", layer, name));
  }
  return hash.hex();
}

std::string widths_text(const ModelConfig& config) {
  return fmt::format("hidden {}, {} query and {} KV heads of {}, feed-forward {}, vocabulary {}", config.hidden,
                     config.heads, config.kv_heads, config.head_dim, config.feed_forward, config.vocab);
}

std::string tokenizer_text(const Model& model) {
  if (!model.has_tokenizer()) return "none";
  const Tokenizer& tokenizer = model.tokenizer();
  TextHash hash;
  for (size_t id = 0; id < model.spelled_tokens(); ++id) hash.add(tokenizer.spelling(static_cast<TokenId>(id)));
  return fmt::format("{}, {} tokens, {}", tokenizer.description(), model.spelled_tokens(), hash.hex());
}

std::string template_text(const Model& model) {
  const ChatTemplate& chat = model.chat_template();
  TextHash hash;
  for (const std::string& part : {chat.prefix, chat.postfix, chat.next_turn}) hash.add(part);
  if (model.has_tokenizer()) hash.add(std::as_bytes(std::span<const TokenId>(system_ids(model))));
  return fmt::format("{}, {}", chat.name, hash.hex());
}

std::string rope_text(const RopeConfig& rope, RopePairing pairing) {
  if (rope.dims == 0) return "learned positions";
  std::string text = fmt::format("base {}, {} {} values", rope.base, rope.dims,
                                 pairing == RopePairing::adjacent ? "adjacent" : "halved");
  if (rope.scaling == RopeScaling::linear) text += fmt::format(", linear:{}", rope.factor);
  if (rope.scaling == RopeScaling::yarn) {
    text += fmt::format(", yarn:{} of {}, beta {} {}, attention factor {}", rope.factor, rope.original_context,
                        rope.beta_fast, rope.beta_slow, rope.attention_factor);
  }
  if (!rope.frequency_divisors.empty()) {
    TextHash hash;
    hash.add(std::as_bytes(std::span(rope.frequency_divisors)));
    text += ", divisors " + hash.hex();
  }
  return text;
}

const std::string* find_value(const Fingerprint& values, const std::string& name) {
  const auto found = std::ranges::find(values, name, &FingerprintValue::name);
  return found == values.end() ? nullptr : &found->value;
}

std::string shown_value(const std::string* value) { return value == nullptr ? "nothing" : quote(*value, kShownBytes); }

}  // namespace

Fingerprint fingerprint_of(const Model& model) {
  const ModelConfig& config = model.config();
  Fingerprint values = {
      {"architecture", std::string(config.arch->name)},
      {"layers", fmt::format("{}, {} with keys and values", config.layers, config.kv_layers())},
      {"widths", widths_text(config)},
      {"norms and scale", fmt::format("epsilon {}, logits times {}", config.norm_eps, config.attention_scale)},
      {"weights", weights_hash(model)},
      {"tokenizer", tokenizer_text(model)},
      {"template", template_text(model)},
      {"rope", rope_text(config.rope, config.rope_pairing)}};
  if (config.local_rope)
    values.push_back({"rope of sliding layers", rope_text(*config.local_rope, config.rope_pairing)});
  return values;
}

void require_fit(const std::string& path, const Fingerprint& file, const Fingerprint& model) {
  if (file == model) return;
  std::vector<std::string> names;
  for (const Fingerprint* values : {&file, &model}) {
    for (const FingerprintValue& each : *values) {
      if (std::ranges::find(names, each.name) == names.end()) names.push_back(each.name);
    }
  }
  std::string differences;
  size_t count = 0;
  for (const std::string& name : names) {
    const std::string* in_file = find_value(file, name);
    const std::string* in_model = find_value(model, name);
    if (in_file != nullptr && in_model != nullptr && *in_file == *in_model) continue;
    if (++count > kShownDifferences) continue;
    differences += fmt::format("{}{}: {} in the file, {} in the model", differences.empty() ? "" : "; ",
                               quote(name, kShownBytes), shown_value(in_file), shown_value(in_model));
  }
  if (count > kShownDifferences) differences += fmt::format("; and {} more", count - kShownDifferences);
  if (differences.empty()) differences = "a value comes twice";
  throw Error(ErrorCode::input, fmt::format("{}: made with another model: {}", path, differences));
}

}  // namespace kvzip
