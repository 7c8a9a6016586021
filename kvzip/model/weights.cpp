#include "kvzip/model/weights.h"

#include <fmt/format.h>

#include "kvzip/base/error.h"

namespace kvzip {
namespace {

class Loader {
 public:
  Loader(const Gguf& file, Backend& backend, WeightMode mode, Weights& weights)
      : file_(&file), backend_(&backend), mode_(mode), weights_(&weights) {}

  ConstView matrix(const std::string& name, size_t out, size_t in) { return place(expect(name, out, in), mode_); }
  const float* vector(const std::string& name, size_t values) {
    return static_cast<const float*>(place(expect(name, 1, values), WeightMode::f32).data);
  }

 private:
  ConstView expect(const std::string& name, size_t out, size_t in) const {
    const GgufTensor& tensor = file_->tensor(name);
    uint64_t rows = 1;
    for (size_t i = 1; i < tensor.shape.size(); ++i) rows *= tensor.shape[i];
    if (tensor.shape.empty() || tensor.shape.front() != in || rows != out) {
      throw Error(ErrorCode::input, fmt::format("{}: tensor {}: expected shape [{}, {}], found [{}]", file_->path(),
                                                name, in, out, fmt::join(tensor.shape, ", ")));
    }
    return {tensor.data.data(), tensor.dtype, out, in, row_bytes(tensor.dtype, in)};
  }

  ConstView place(const ConstView& host, WeightMode mode) {
    Buffer adopted;
    ConstView device = backend_->adopt(host, adopted);
    if (mode == WeightMode::f32 && host.dtype != DType::f32) {
      const size_t stride = row_bytes(DType::f32, host.cols);
      Buffer converted(*backend_, host.rows * stride);
      const View view{converted.data(), DType::f32, host.rows, host.cols, stride};
      backend_->to_f32(device, view);
      device = view;
      adopted = std::move(converted);
    }
    if (adopted.data() != nullptr) weights_->owned.push_back(std::move(adopted));
    weights_->bytes += device.rows * device.stride;
    return device;
  }

  const Gguf* file_;
  Backend* backend_;
  WeightMode mode_;
  Weights* weights_;
};

LayerWeights load_layer(Loader& load, const ModelConfig& config, size_t index) {
  const auto name = [index](std::string_view part) { return fmt::format("blk.{}.{}", index, part); };
  const size_t q_width = config.heads * config.head_dim;
  const size_t kv_width = config.kv_heads * config.head_dim;
  LayerWeights layer;
  layer.attention_norm = load.vector(name("attn_norm.weight"), config.hidden);
  layer.q = load.matrix(name("attn_q.weight"), q_width, config.hidden);
  layer.k = load.matrix(name("attn_k.weight"), kv_width, config.hidden);
  layer.v = load.matrix(name("attn_v.weight"), kv_width, config.hidden);
  layer.o = load.matrix(name("attn_output.weight"), config.hidden, q_width);
  if (config.arch->qkv_bias) {
    layer.q_bias = load.vector(name("attn_q.bias"), q_width);
    layer.k_bias = load.vector(name("attn_k.bias"), kv_width);
    layer.v_bias = load.vector(name("attn_v.bias"), kv_width);
  }
  if (config.arch->qk_norm) {
    layer.q_norm = load.vector(name("attn_q_norm.weight"), config.head_dim);
    layer.k_norm = load.vector(name("attn_k_norm.weight"), config.head_dim);
  }
  layer.feed_forward_norm = load.vector(name("ffn_norm.weight"), config.hidden);
  layer.gate = load.matrix(name("ffn_gate.weight"), config.feed_forward, config.hidden);
  layer.up = load.matrix(name("ffn_up.weight"), config.feed_forward, config.hidden);
  layer.down = load.matrix(name("ffn_down.weight"), config.hidden, config.feed_forward);
  if (config.arch->sandwich_norms) {
    layer.post_attention_norm = load.vector(name("post_attention_norm.weight"), config.hidden);
    layer.post_feed_forward_norm = load.vector(name("post_ffw_norm.weight"), config.hidden);
  }
  return layer;
}

}  // namespace

Weights load_weights(const Gguf& file, const ModelConfig& config, Backend& backend, WeightMode mode) {
  Weights weights;
  Loader load(file, backend, mode, weights);
  weights.embedding = load.matrix("token_embd.weight", config.vocab, config.hidden);
  weights.output =
      file.has_tensor("output.weight") ? load.matrix("output.weight", config.vocab, config.hidden) : weights.embedding;
  weights.output_norm = load.vector("output_norm.weight", config.hidden);
  for (size_t index = 0; index < config.layers; ++index) weights.layers.push_back(load_layer(load, config, index));
  return weights;
}

}  // namespace kvzip
