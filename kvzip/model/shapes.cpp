#include "kvzip/model/shapes.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "kvzip/base/error.h"
#include "kvzip/model/hf_config.h"
#include "kvzip/model/random_weights.h"

namespace kvzip {
namespace {

/// What the models' config.json files on the Hugging Face hub say.
struct Shape {
  std::string_view name;
  const char* model_type;
  size_t layers;
  size_t hidden;
  size_t heads;
  size_t kv_heads;
  size_t head_dim;
  size_t feed_forward;
  size_t vocab;
  size_t context;
  double rope_base;
  bool tied;
};

constexpr Shape kShapes[] = {
    {"smollm2", "llama", 30, 576, 9, 3, 64, 1536, 49152, 8192, 1e5, true},
    {"llama3.1-8b", "llama", 32, 4096, 32, 8, 128, 14336, 128256, 131072, 5e5, false},
    {"llama3.2-1b", "llama", 16, 2048, 32, 8, 64, 8192, 128256, 131072, 5e5, true},
    {"llama3.2-3b", "llama", 28, 3072, 24, 8, 128, 8192, 128256, 131072, 5e5, true},
    {"mistral-7b", "mistral", 32, 4096, 32, 8, 128, 14336, 32768, 32768, 1e6, false},
    {"qwen2.5-7b", "qwen2", 28, 3584, 28, 4, 128, 18944, 152064, 1010000, 1e7, false},
    {"qwen2.5-14b", "qwen2", 48, 5120, 40, 8, 128, 13824, 152064, 1010000, 1e7, false},
    {"qwen3-0.6b", "qwen3", 28, 1024, 16, 8, 128, 3072, 151936, 40960, 1e6, true},
    {"qwen3-1.7b", "qwen3", 28, 2048, 16, 8, 128, 6144, 151936, 40960, 1e6, true},
    {"qwen3-4b", "qwen3", 36, 2560, 32, 8, 128, 9728, 151936, 40960, 1e6, true},
    {"qwen3-8b", "qwen3", 36, 4096, 32, 8, 128, 12288, 151936, 40960, 1e6, false},
    {"qwen3-14b", "qwen3", 40, 5120, 40, 8, 128, 17408, 151936, 40960, 1e6, false},
    {"qwen3-32b", "qwen3", 64, 5120, 64, 8, 128, 25600, 151936, 40960, 1e6, false},
    {"gemma3-1b", "gemma3_text", 26, 1152, 4, 1, 256, 6912, 262144, 32768, 1e6, true},
    {"gemma3-4b", "gemma3_text", 34, 2560, 8, 4, 256, 10240, 262208, 131072, 1e6, true},
    {"gemma3-12b", "gemma3_text", 48, 3840, 16, 8, 256, 15360, 262208, 131072, 1e6, true},
    {"gemma3-27b", "gemma3_text", 62, 5376, 32, 16, 128, 21504, 262208, 131072, 1e6, true},
};

const Shape& shape_by_name(std::string_view name) {
  const auto* const found = std::ranges::find(kShapes, name, &Shape::name);
  if (found != std::end(kShapes)) return *found;
  throw Error(ErrorCode::usage,
              fmt::format("shape: expected one of {}, found '{}'", fmt::join(shape_names(), ", "), name));
}

}  // namespace

std::vector<std::string_view> shape_names() {
  std::vector<std::string_view> names;
  for (const Shape& shape : kShapes) names.push_back(shape.name);
  return names;
}

ModelConfig shape_config(std::string_view name, size_t context) {
  const Shape& shape = shape_by_name(name);
  nlohmann::json file = {{"model_type", shape.model_type},
                         {"num_hidden_layers", shape.layers},
                         {"hidden_size", shape.hidden},
                         {"num_attention_heads", shape.heads},
                         {"num_key_value_heads", shape.kv_heads},
                         {"head_dim", shape.head_dim},
                         {"intermediate_size", shape.feed_forward},
                         {"vocab_size", shape.vocab},
                         {"max_position_embeddings", context == 0 ? shape.context : context},
                         {"rope_theta", shape.rope_base},
                         {"tie_word_embeddings", shape.tied}};
  if (std::string_view(shape.model_type) == "mistral") file["sliding_window"] = nullptr;
  ModelConfig config = read_hf_config(fmt::format("shape {}", shape.name), file).model;
  config.name = shape.name;
  return config;
}

ModelFiles random_model_files(std::string_view name, size_t context) {
  ModelFiles files;
  files.config = shape_config(name, context);
  files.weights = std::make_unique<RandomWeights>(files.config);
  return files;
}

}  // namespace kvzip
