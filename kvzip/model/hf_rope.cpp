// The part of config.json about positions.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>

#include "kvzip/base/quote.h"
#include "kvzip/model/hf_config.h"

namespace kvzip {
namespace {

constexpr double kMaxFactor = 1e6;  // far beyond any; keeps context lengths from overflow

double required(const JsonFields& scaling, std::string_view key) {
  if (!scaling.has(key)) scaling.fail(key, "a positive number");
  return scaling.positive_or(key, 1);
}

double factor_of(const JsonFields& scaling) {
  const double factor = required(scaling, "factor");
  if (factor > kMaxFactor) scaling.fail("factor", fmt::format("at most {}", kMaxFactor));
  return factor;
}

size_t original_context(const JsonFields& scaling, size_t otherwise) {
  return scaling.uint_or("original_max_position_embeddings", otherwise, 1, kMaxContext);
}

/// Llama 3.1's scaling as one divisor per pair: long wavelengths are slowed down by the factor, short ones not at all,
/// those between them in part.
std::vector<float> llama3_divisors(const JsonFields& scaling, const RopeConfig& rope) {
  const double factor = factor_of(scaling);
  const double low = required(scaling, "low_freq_factor");
  const double high = required(scaling, "high_freq_factor");
  if (high <= low) scaling.fail("high_freq_factor", fmt::format("more than low_freq_factor, {}", low));
  const auto original = static_cast<double>(original_context(scaling, 0));
  std::vector<float> divisors;
  for (size_t pair = 0; pair < rope.dims / 2; ++pair) {
    const double exponent = 2.0 * static_cast<double>(pair) / static_cast<double>(rope.dims);
    const double wavelength = 2 * std::numbers::pi * std::pow(rope.base, exponent);
    const double smooth = std::clamp((original / wavelength - low) / (high - low), 0.0, 1.0);
    divisors.push_back(static_cast<float>(1 / ((1 - smooth) / factor + smooth)));
  }
  return divisors;
}

/// A model that declares N positions needs a factor of at least N / original, which is the one that transformers up to
/// 4.5x computes whatever the file says; the cards of Qwen say factor 4 to be added to a file that declares fewer
/// positions, which later versions take as it is. The larger of the two serves both.
void read_yarn(const JsonFields& scaling, RopeConfig& rope, size_t& context) {
  for (const std::string_view key : {"mscale", "mscale_all_dim"}) {
    if (scaling.has(key)) scaling.fail(key, "none, as this version has no support for it", ErrorCode::unsupported);
  }
  if (!scaling.find_bool("truncate").value_or(true)) scaling.fail("truncate", "true", ErrorCode::unsupported);
  rope.original_context = original_context(scaling, context);
  const bool has_original = scaling.has("original_max_position_embeddings");
  const double ratio = static_cast<double>(context) / static_cast<double>(rope.original_context);
  rope.factor = has_original && !scaling.has("factor") ? ratio : std::max(factor_of(scaling), ratio);
  rope.beta_fast = scaling.positive_or("beta_fast", 32);
  rope.beta_slow = scaling.positive_or("beta_slow", 1);
  if (scaling.has("attention_factor")) rope.attention_factor = scaling.positive_or("attention_factor", 1);
  const double reach = static_cast<double>(rope.original_context) * rope.factor;
  context = std::max(context, static_cast<size_t>(std::min(reach, static_cast<double>(kMaxContext))));
}

/// `scaling` may be none.
RopeConfig read_scaling(const std::optional<JsonFields>& scaling, double base, ModelConfig& config) {
  RopeConfig rope{.base = base, .dims = config.head_dim, .frequency_divisors = {}};
  if (!scaling) return rope;
  const std::string_view key = scaling->has("rope_type") ? "rope_type" : "type";
  const std::string_view type = scaling->find_string(key).value_or("default");
  if (scaling->positive_or("partial_rotary_factor", 1) != 1)
    scaling->fail("partial_rotary_factor", "1", ErrorCode::unsupported);
  if (type == "linear") {
    rope.scaling = RopeScaling::linear;
    rope.factor = factor_of(*scaling);
  } else if (type == "llama3") {
    rope.frequency_divisors = llama3_divisors(*scaling, rope);
  } else if (type == "yarn") {
    rope.scaling = RopeScaling::yarn;
    read_yarn(*scaling, rope, config.context_length);
  } else if (type != "default") {
    scaling->fail(key, "default, linear, llama3 or yarn", ErrorCode::unsupported);
  }
  return rope;
}

}  // namespace

void read_hf_rope(const JsonFields& fields, const HfFamily& family, ModelConfig& config) {
  if (config.head_dim % 2 != 0) fields.fail("head_dim", "an even number");
  if (fields.positive_or("partial_rotary_factor", 1) != 1)
    fields.fail("partial_rotary_factor", "1", ErrorCode::unsupported);
  const auto parameters = fields.find_object("rope_parameters");
  const bool by_layer_type = parameters && (parameters->has("full_attention") || parameters->has("sliding_attention"));
  auto global = by_layer_type ? parameters->find_object("full_attention") : parameters;
  if (!global) global = fields.find_object("rope_scaling");
  const auto local = by_layer_type ? parameters->find_object("sliding_attention") : std::nullopt;

  double base = fields.positive_or("rope_theta", family.defaults.rope_base);
  if (global) base = global->positive_or("rope_theta", base);
  config.rope = read_scaling(global, base, config);

  if (!local && config.arch->local_rope_base == 0) return;
  const double usual = config.arch->local_rope_base > 0 ? config.arch->local_rope_base : base;
  double local_base = fields.positive_or("rope_local_base_freq", usual);
  if (local) local_base = local->positive_or("rope_theta", local_base);
  config.local_rope = read_scaling(local, local_base, config);
}

}  // namespace kvzip
