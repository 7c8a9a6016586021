#include "kvzip/model/weights.h"

#include <fmt/format.h>

#include <cstdint>
#include <utility>

#include "kvzip/base/error.h"
#include "kvzip/model/transpose.h"

namespace kvzip {
namespace {

/// Whether values can be read where they lie: safetensors files may put them at any byte.
bool is_aligned(const ConstView& view) {
  const size_t alignment = view.dtype == DType::f32 ? alignof(float) : alignof(uint16_t);
  return reinterpret_cast<uintptr_t>(view.data) % alignment == 0;
}

class Loader {
 public:
  Loader(const TensorSource& source, Backend& backend, WeightMode mode, Weights& weights)
      : source_(&source), backend_(&backend), mode_(mode), weights_(&weights) {}

  ConstView matrix(const std::string& name, size_t out, size_t in) {
    const StoredTensor tensor = expect(name, out, in);
    const DType held = mode_ == WeightMode::f32 ? DType::f32 : backend_->weight_type(tensor.dtype);
    if (!tensor.transposed) return keep(place(view_of(tensor, out, in), held));
    const std::vector<std::byte> turned = transposed(tensor.data, in, out, row_bytes(tensor.dtype, 1));
    return keep(place({turned.data(), tensor.dtype, out, in, row_bytes(tensor.dtype, in)}, held, false));
  }
  const float* vector(const std::string& name, size_t values) {
    const StoredTensor tensor = expect(name, 1, values);
    Placed placed = place(view_of(tensor, 1, values), DType::f32);
    if (tensor.one_less) add_one(placed);
    return static_cast<const float*>(keep(std::move(placed)).data);
  }
  /// Null unless there is one.
  const float* vector_if(bool exists, const std::string& name, size_t values) {
    return exists ? vector(name, values) : nullptr;
  }

 private:
  /// A tensor as the device reads it, in memory of its own unless it is still the file's.
  struct Placed {
    ConstView view;
    Buffer memory;
  };

  StoredTensor expect(const std::string& name, size_t out, size_t in) const {
    StoredTensor tensor = source_->tensor(name);
    uint64_t rows = 1;
    for (size_t i = 1; i < tensor.shape.size(); ++i) rows *= tensor.shape[i];
    if (tensor.shape.empty() || tensor.shape.front() != in || rows != out) {
      throw Error(ErrorCode::input, fmt::format("{}: tensor {}: expected shape [{}, {}], found [{}]", source_->path(),
                                                tensor.name, in, out, fmt::join(tensor.shape, ", ")));
    }
    return tensor;
  }

  static ConstView view_of(const StoredTensor& tensor, size_t out, size_t in) {
    return {tensor.data.data(), tensor.dtype, out, in, row_bytes(tensor.dtype, in)};
  }

  /// `lasting`: host memory that outlives the weights, as a mapped file does.
  Placed place(const ConstView& host, DType held, bool lasting = true) {
    Placed placed;
    if (lasting && is_aligned(host)) {
      placed.view = backend_->adopt(host, placed.memory);
    } else {
      placed.memory = Buffer(*backend_, host.rows * host.stride);
      backend_->upload(placed.memory.data(), host.data, host.rows * host.stride);
      placed.view = {placed.memory.data(), host.dtype, host.rows, host.cols, host.stride};
    }
    if (held != host.dtype) {
      const size_t stride = row_bytes(held, host.cols);
      Buffer converted(*backend_, host.rows * stride);
      const View view{converted.data(), held, host.rows, host.cols, stride};
      backend_->convert(placed.view, view);
      placed = {view, std::move(converted)};
    }
    return placed;
  }

  void add_one(Placed& placed) {
    std::vector<float> values(placed.view.cols);
    const size_t bytes = values.size() * sizeof(float);
    backend_->download(values.data(), placed.view.data, bytes);
    for (float& value : values) value += 1;
    placed.memory = Buffer(*backend_, bytes);
    backend_->upload(placed.memory.data(), values.data(), bytes);
    placed.view.data = placed.memory.data();
  }

  ConstView keep(Placed placed) {
    if (placed.memory.data() != nullptr) weights_->owned.push_back(std::move(placed.memory));
    weights_->bytes += placed.view.rows * placed.view.stride;
    return placed.view;
  }

  const TensorSource* source_;
  Backend* backend_;
  WeightMode mode_;
  Weights* weights_;
};

NormWeights load_norm(Loader& load, const ModelConfig& config, const std::string& name) {
  return {.weight = load.vector(name + ".weight", config.hidden),
          .bias = config.arch->layer_norm ? load.vector(name + ".bias", config.hidden) : nullptr};
}

void load_qkv(Loader& load, const ModelConfig& config, size_t index, LayerWeights& layer) {
  const std::string prefix = fmt::format("blk.{}.", index);
  const size_t q_width = config.heads * config.head_dim, kv_width = config.kv_heads * config.head_dim;
  if (config.arch->fused_qkv) {
    const ConstView all = load.matrix(prefix + "attn_qkv.weight", q_width + 2 * kv_width, config.hidden);
    layer.q = rows_of(all, 0, q_width);
    layer.k = rows_of(all, q_width, kv_width);
    layer.v = rows_of(all, q_width + kv_width, kv_width);
    layer.q_bias = load.vector(prefix + "attn_qkv.bias", q_width + 2 * kv_width);
    layer.k_bias = layer.q_bias + q_width;
    layer.v_bias = layer.k_bias + kv_width;
    return;
  }
  const bool own_kv = index < config.own_kv_layers;
  const std::string_view suffix = own_kv ? "" : "_swiftkv";
  const auto name = [&](std::string_view part, std::string_view kind) {
    return fmt::format("{}{}{}.{}", prefix, part, suffix, kind);
  };
  layer.q = load.matrix(name("attn_q", "weight"), q_width, config.hidden);
  layer.q_bias = load.vector_if(config.qkv_bias, name("attn_q", "bias"), q_width);
  if (!own_kv && config.kv_layer(index) == config.kv_layer(index - 1)) return;  // those of the layer before
  layer.k = load.matrix(name("attn_k", "weight"), kv_width, config.hidden);
  layer.v = load.matrix(name("attn_v", "weight"), kv_width, config.hidden);
  layer.k_bias = load.vector_if(config.qkv_bias, name("attn_k", "bias"), kv_width);
  layer.v_bias = load.vector_if(config.qkv_bias, name("attn_v", "bias"), kv_width);
}

LayerWeights load_layer(Loader& load, const ModelConfig& config, size_t index) {
  const Arch& arch = *config.arch;
  const std::string prefix = fmt::format("blk.{}.", index);
  LayerWeights layer;
  layer.attention_norm = load_norm(load, config, prefix + (arch.post_norm ? "attn_output_norm" : "attn_norm"));
  load_qkv(load, config, index, layer);
  layer.o = load.matrix(prefix + "attn_output.weight", config.hidden, config.heads * config.head_dim);
  if (arch.qk_norm) {
    layer.q_norm = load.vector(prefix + "attn_q_norm.weight", config.head_dim);
    layer.k_norm = load.vector(prefix + "attn_k_norm.weight", config.head_dim);
  }
  layer.feed_forward_norm = load_norm(load, config, prefix + (arch.post_norm ? "layer_output_norm" : "ffn_norm"));
  if (arch.gated) layer.gate = load.matrix(prefix + "ffn_gate.weight", config.feed_forward, config.hidden);
  layer.up = load.matrix(prefix + "ffn_up.weight", config.feed_forward, config.hidden);
  layer.down = load.matrix(prefix + "ffn_down.weight", config.hidden, config.feed_forward);
  layer.o_bias = load.vector_if(config.attention_output_bias, prefix + "attn_output.bias", config.hidden);
  const bool mlp_bias = config.feed_forward_bias;
  layer.gate_bias = load.vector_if(mlp_bias && arch.gated, prefix + "ffn_gate.bias", config.feed_forward);
  layer.up_bias = load.vector_if(mlp_bias, prefix + "ffn_up.bias", config.feed_forward);
  layer.down_bias = load.vector_if(mlp_bias, prefix + "ffn_down.bias", config.hidden);
  if (arch.sandwich_norms) {
    layer.post_attention_norm = load.vector(prefix + "post_attention_norm.weight", config.hidden);
    layer.post_feed_forward_norm = load.vector(prefix + "post_ffw_norm.weight", config.hidden);
  }
  return layer;
}

}  // namespace

Weights load_weights(const TensorSource& source, const ModelConfig& config, Backend& backend, WeightMode mode) {
  Weights weights;
  Loader load(source, backend, mode, weights);
  weights.embedding = load.matrix("token_embd.weight", config.vocab, config.hidden);
  weights.output = config.tied_output ? weights.embedding : load.matrix("output.weight", config.vocab, config.hidden);
  (config.arch->post_norm ? weights.embedding_norm : weights.output_norm) =
      load_norm(load, config, config.arch->post_norm ? "token_embd_norm" : "output_norm");
  if (config.own_kv_layers < config.layers) weights.shared_kv_norm = load.vector("norm_swiftkv.weight", config.hidden);
  if (config.arch->learned_positions)
    weights.positions = load.matrix("position_embd.weight", config.context_length, config.hidden);
  if (config.arch->token_types)
    weights.token_types = load.matrix("token_types.weight", config.token_types, config.hidden);
  if (config.arch->bidirectional && source.has_tensor("pooler.weight")) {
    weights.pooler = load.matrix("pooler.weight", config.hidden, config.hidden);
    weights.pooler_bias = load.vector("pooler.bias", config.hidden);
  }
  for (size_t index = 0; index < config.layers; ++index) weights.layers.push_back(load_layer(load, config, index));
  return weights;
}

}  // namespace kvzip
