#include "kvzip/learn/published_gate.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "kvzip/base/json.h"
#include "kvzip/base/json_fields.h"
#include "kvzip/base/quote.h"
#include "kvzip/learn/gate_arrays.h"

namespace kvzip {
namespace {

// Arrays of the first layer that tell the kinds apart.
constexpr std::string_view kLinearMark = "layers.0.weight";
constexpr std::string_view kMlpMark = "layers.0.0.weight";
constexpr std::string_view kSinkMark = "layers.0.q_proj.weight";

bool has(const SafetensorsFile& file, std::string_view name) { return file.arrays.contains(name); }

/// Of a file for one model: what all kinds read their arrays with.
class Arrays {
 public:
  Arrays(const SafetensorsFile& file, const Model& model) : file_(&file), model_(&model) {}

  const ModelConfig& config() const { return model_->config(); }
  ArrayShape shape(const std::string& name, size_t extents) const { return array_shape(*file_, name, extents); }
  std::vector<float> values(const std::string& name, const ArrayShape& shape) const {
    return array_values(*file_, name, shape, model_->backend());
  }
  /// NAME.weight `[out, in]` and NAME.bias.
  GateProduct product(const std::string& name, size_t out, size_t in, bool bias = true) const {
    GateProduct product{out, in, values(name + ".weight", {out, in}), {}};
    if (bias) product.bias = values(name + ".bias", {out});
    return product;
  }
  /// The file must have the arrays of exactly `count` layers, of which each has one that ends in `mark`.
  void expect_layers(size_t count, std::string_view mark) const {
    size_t found = 0;
    while (has(*file_, fmt::format("layers.{}.{}", found, mark))) ++found;
    if (found != count) {
      fail_gate(file_->file.path(), fmt::format("layers.N.{}", mark), fmt::format("{} of them for this model", count),
                fmt::to_string(found));
    }
  }
  [[noreturn]] void fail(const std::string& field, const std::string& expected, const std::string& found) const {
    fail_gate(file_->file.path(), field, expected, found);
  }

 private:
  const SafetensorsFile* file_;
  const Model* model_;
};

GateWeights read_linear(const Arrays& arrays, const std::vector<size_t>& layers) {
  const ModelConfig& config = arrays.config();
  arrays.expect_layers(config.layers, "weight");
  GateWeights gate{layers.size(), config.kv_heads, config.hidden, {}, {}};
  for (const size_t layer : layers) {
    const GateProduct product = arrays.product(fmt::format("layers.{}", layer), config.kv_heads, config.hidden);
    gate.weights.insert(gate.weights.end(), product.weights.begin(), product.weights.end());
    gate.bias.insert(gate.bias.end(), product.bias.begin(), product.bias.end());
  }
  return gate;
}

MlpGateWeights read_mlp(const Arrays& arrays, const std::vector<size_t>& layers) {
  const ModelConfig& config = arrays.config();
  arrays.expect_layers(config.layers, "0.weight");
  const size_t width = arrays.shape(std::string(kMlpMark), 2)[0];
  MlpGateWeights gate;
  for (const size_t layer : layers) {
    const std::string name = fmt::format("layers.{}", layer);
    gate.layers.push_back(
        {arrays.product(name + ".0", width, config.hidden), arrays.product(name + ".2", config.kv_heads, width)});
  }
  return gate;
}

SinkGateWeights read_sinks(const Arrays& arrays, size_t layers) {
  const size_t heads = arrays.config().kv_heads;
  const size_t hidden = arrays.config().hidden;
  arrays.expect_layers(layers, "q_proj.weight");
  SinkGateWeights gate;
  gate.dim = arrays.shape("layers.0.q_norm.weight", 1)[0];
  gate.group = arrays.shape("layers.0.b", 3)[2];
  gate.sinks = arrays.shape("layers.0.k_base", 4)[2];
  // Before they are multiplied: a key's values are rows of a weight matrix that the file holds.
  const size_t rows = arrays.shape("layers.0.k_proj.weight", 2)[0];
  const size_t queries = arrays.shape(std::string(kSinkMark), 2)[0];
  if (rows % heads != 0 || rows / heads != gate.dim || queries % rows != 0 || queries / rows != gate.group) {
    arrays.fail(std::string(kSinkMark), fmt::format("rows for {} KV heads of q_norm's and b's sizes", heads),
                fmt::format("{}, and k_proj with {}", queries, rows));
  }
  for (size_t layer = 0; layer < layers; ++layer) {
    const auto name = [&](std::string_view part) { return fmt::format("layers.{}.{}", layer, part); };
    gate.layers.push_back(
        {arrays.product(name("q_proj"), queries, hidden), arrays.product(name("k_proj"), rows, hidden, false),
         arrays.values(name("q_norm.weight"), {gate.dim}), arrays.values(name("k_norm.weight"), {gate.dim}),
         arrays.values(name("k_base"), {heads, 1, gate.sinks, gate.dim}),
         arrays.values(name("b"), {heads, 1, gate.group})});
  }
  return gate;
}

}  // namespace

bool is_published_gate(const SafetensorsFile& file) {
  return has(file, kLinearMark) || has(file, kMlpMark) || has(file, kSinkMark);
}

PublishedGate read_published_gate(const SafetensorsFile& file, const Model& model) {
  const Arrays arrays(file, model);
  const std::vector<size_t> layers = gate_layers(model);
  if (has(file, kMlpMark)) return {"KVzap, MLP", read_mlp(arrays, layers)};
  if (has(file, kSinkMark)) return {"Fast KVzip", read_sinks(arrays, layers.size())};
  return {"KVzap, linear", read_linear(arrays, layers)};
}

void check_gate_config(const std::string& path, const PublishedGate& gate, const Model& model) {
  const nlohmann::json json = read_json(path);
  const JsonFields fields(path, json);
  const std::string type(fields.find_string("model_type").value_or("none"));
  if (type != "kvzap") fail_gate(path, "model_type", "'kvzap'", quote(type, 40));
  const auto expect = [&](std::string_view field, std::optional<uint64_t> expected) {
    const std::optional<uint64_t> found = fields.find_uint(field);
    const auto text = [](std::optional<uint64_t> value) { return value ? fmt::to_string(*value) : "none"; };
    if (found != expected) fail_gate(path, field, text(expected) + " for this model", text(found));
  };
  const ModelConfig& config = model.config();
  expect("input_dim", config.hidden);
  expect("output_dim", config.kv_heads);
  expect("n_modules", config.layers);
  const auto* const mlp = std::get_if<MlpGateWeights>(&gate.weights);
  expect("hidden_dim", mlp != nullptr ? std::optional<uint64_t>(mlp->layers.front().first.out) : std::nullopt);
}

}  // namespace kvzip
