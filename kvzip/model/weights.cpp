#include "kvzip/model/weights.h"

#include <fmt/format.h>

#include <cstdint>
#include <cstring>
#include <utility>

#include "kvzip/base/error.h"
#include "kvzip/base/parallel.h"
#include "kvzip/model/transpose.h"

namespace kvzip {
namespace {

/// Whether values can be read where they lie: safetensors files may put them at any byte.
bool is_aligned(const ConstView& view) {
  const size_t alignment = view.dtype == DType::f32 ? alignof(float) : alignof(uint16_t);
  return reinterpret_cast<uintptr_t>(view.data) % alignment == 0;
}

/// Columns [first, first + count) of a matrix in host memory, contiguous.
std::vector<std::byte> columns_of(const ConstView& matrix, size_t first, size_t count) {
  const size_t skipped = row_bytes(matrix.dtype, first), bytes = row_bytes(matrix.dtype, count);
  std::vector<std::byte> packed(matrix.rows * bytes);
  constexpr size_t kGrain = 64;  // rows
  parallel_ranges(matrix.rows, kGrain, [&](size_t begin, size_t end) {
    const auto* from = static_cast<const std::byte*>(matrix.data) + skipped;
    for (size_t row = begin; row < end; ++row) std::memcpy(&packed[row * bytes], from + row * matrix.stride, bytes);
  });
  return packed;
}

class Loader {
 public:
  Loader(const TensorSource& source, Backend& backend, const WeightOptions& options, Weights& weights)
      : source_(&source), backend_(&backend), mode_(options.mode), share_(options.share), weights_(&weights) {}

  const Share& share() const { return share_; }
  /// The device's part of what all devices together have, given what one has.
  Stretch shared(size_t one) const { return part_of(one, share_); }

  ConstView matrix(const std::string& name, const Stretch& out, const Stretch& in) {
    const StoredTensor tensor = expect(name, out.whole, in.whole);
    const DType held = mode_ == WeightMode::f32 ? DType::f32 : backend_->weight_type(tensor.dtype);
    ConstView view = view_of(tensor, out.whole, in.whole);
    std::vector<std::byte> turned, packed;
    if (tensor.transposed) {
      turned = transposed(tensor.data, in.whole, out.whole, row_bytes(tensor.dtype, 1));
      view.data = turned.data();
    }
    view = rows_of(view, out.first, out.count);
    if (in.count < in.whole) {
      require_whole_blocks(tensor, in);
      packed = columns_of(view, in.first, in.count);
      view = {packed.data(), view.dtype, out.count, in.count, row_bytes(view.dtype, in.count)};
    }
    return keep(place(view, held, turned.empty() && packed.empty()));
  }
  const float* vector(const std::string& name, const Stretch& values) {
    const StoredTensor tensor = expect(name, 1, values.whole);
    ConstView view = view_of(tensor, 1, values.whole);
    if (values.count < values.whole) {
      require_whole_blocks(tensor, values);
      view.data = static_cast<const std::byte*>(view.data) + row_bytes(view.dtype, values.first);
      view.cols = values.count;
      view.stride = row_bytes(view.dtype, values.count);
    }
    Placed placed = place(view, DType::f32);
    if (tensor.one_less) add_one(placed);
    return static_cast<const float*>(keep(std::move(placed)).data);
  }
  const float* vector(const std::string& name, size_t values) { return vector(name, all_of(values)); }
  /// Null unless there is one.
  const float* vector_if(bool exists, const std::string& name, const Stretch& values) {
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

  void require_whole_blocks(const StoredTensor& tensor, const Stretch& values) const {
    const size_t block = dtype_info(tensor.dtype).block_values;
    if (values.first % block == 0 && values.count % block == 0) return;
    throw Error(
        ErrorCode::unsupported,
        fmt::format("{}: tensor {}: its rows of {} values in {}, blocks of {}, can't be divided evenly among {} "
                    "devices",
                    source_->path(), tensor.name, values.whole, dtype_name(tensor.dtype), block, share_.of));
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
  Share share_;
  Weights* weights_;
};

NormWeights load_norm(Loader& load, const ModelConfig& config, const std::string& name) {
  return {.weight = load.vector(name + ".weight", config.hidden),
          .bias = config.arch->layer_norm ? load.vector(name + ".bias", config.hidden) : nullptr};
}

void load_fused_qkv(Loader& load, const ModelConfig& config, const std::string& prefix, LayerWeights& layer) {
  const size_t q_width = config.heads * config.head_dim, kv_width = config.kv_heads * config.head_dim;
  const auto [rank, of] = load.share();
  const size_t whole = of * (q_width + 2 * kv_width);
  const Stretch q{rank * q_width, q_width, whole};
  const Stretch k{of * q_width + rank * kv_width, kv_width, whole};
  const Stretch v{of * (q_width + kv_width) + rank * kv_width, kv_width, whole};
  const std::string weight = prefix + "attn_qkv.weight", bias = prefix + "attn_qkv.bias";
  layer.q = load.matrix(weight, q, all_of(config.hidden));
  layer.k = load.matrix(weight, k, all_of(config.hidden));
  layer.v = load.matrix(weight, v, all_of(config.hidden));
  layer.q_bias = load.vector(bias, q);
  layer.k_bias = load.vector(bias, k);
  layer.v_bias = load.vector(bias, v);
}

void load_qkv(Loader& load, const ModelConfig& config, size_t index, LayerWeights& layer) {
  const std::string prefix = fmt::format("blk.{}.", index);
  if (config.arch->fused_qkv) return load_fused_qkv(load, config, prefix, layer);
  const Stretch q = load.shared(config.heads * config.head_dim), kv = load.shared(config.kv_heads * config.head_dim);
  const Stretch hidden = all_of(config.hidden);
  const bool own_kv = index < config.own_kv_layers;
  const std::string_view suffix = own_kv ? "" : "_swiftkv";
  const auto name = [&](std::string_view part, std::string_view kind) {
    return fmt::format("{}{}{}.{}", prefix, part, suffix, kind);
  };
  layer.q = load.matrix(name("attn_q", "weight"), q, hidden);
  layer.q_bias = load.vector_if(config.qkv_bias, name("attn_q", "bias"), q);
  if (!own_kv && config.kv_layer(index) == config.kv_layer(index - 1)) return;  // those of the layer before
  layer.k = load.matrix(name("attn_k", "weight"), kv, hidden);
  layer.v = load.matrix(name("attn_v", "weight"), kv, hidden);
  layer.k_bias = load.vector_if(config.qkv_bias, name("attn_k", "bias"), kv);
  layer.v_bias = load.vector_if(config.qkv_bias, name("attn_v", "bias"), kv);
}

LayerWeights load_layer(Loader& load, const ModelConfig& config, size_t index) {
  const Arch& arch = *config.arch;
  const std::string prefix = fmt::format("blk.{}.", index);
  const Stretch hidden = all_of(config.hidden), wide = load.shared(config.feed_forward);
  LayerWeights layer;
  layer.attention_norm = load_norm(load, config, prefix + (arch.post_norm ? "attn_output_norm" : "attn_norm"));
  load_qkv(load, config, index, layer);
  layer.o = load.matrix(prefix + "attn_output.weight", hidden, load.shared(config.heads * config.head_dim));
  if (arch.qk_norm) {
    layer.q_norm = load.vector(prefix + "attn_q_norm.weight", config.head_dim);
    layer.k_norm = load.vector(prefix + "attn_k_norm.weight", config.head_dim);
  }
  layer.feed_forward_norm = load_norm(load, config, prefix + (arch.post_norm ? "layer_output_norm" : "ffn_norm"));
  if (arch.gated) layer.gate = load.matrix(prefix + "ffn_gate.weight", wide, hidden);
  layer.up = load.matrix(prefix + "ffn_up.weight", wide, hidden);
  layer.down = load.matrix(prefix + "ffn_down.weight", hidden, wide);
  const bool first = load.share().rank == 0;  // what is summed over the devices has its bias once
  layer.o_bias = load.vector_if(first && config.attention_output_bias, prefix + "attn_output.bias", hidden);
  const bool mlp_bias = config.feed_forward_bias;
  layer.gate_bias = load.vector_if(mlp_bias && arch.gated, prefix + "ffn_gate.bias", wide);
  layer.up_bias = load.vector_if(mlp_bias, prefix + "ffn_up.bias", wide);
  layer.down_bias = load.vector_if(first && mlp_bias, prefix + "ffn_down.bias", hidden);
  if (arch.sandwich_norms) {
    layer.post_attention_norm = load.vector(prefix + "post_attention_norm.weight", config.hidden);
    layer.post_feed_forward_norm = load.vector(prefix + "post_ffw_norm.weight", config.hidden);
  }
  return layer;
}

}  // namespace

Weights load_weights(const TensorSource& source, const ModelConfig& config, Backend& backend,
                     const WeightOptions& options) {
  Weights weights;
  Loader load(source, backend, options, weights);
  const Stretch hidden = all_of(config.hidden), output = output_rows(config.vocab, options.share);
  weights.embedding = load.matrix("token_embd.weight", all_of(config.vocab), hidden);
  weights.output = config.tied_output ? rows_of(weights.embedding, output.first, output.count)
                                      : load.matrix("output.weight", output, hidden);
  (config.arch->post_norm ? weights.embedding_norm : weights.output_norm) =
      load_norm(load, config, config.arch->post_norm ? "token_embd_norm" : "output_norm");
  if (config.own_kv_layers < config.layers) weights.shared_kv_norm = load.vector("norm_swiftkv.weight", config.hidden);
  if (config.arch->learned_positions)
    weights.positions = load.matrix("position_embd.weight", all_of(config.context_length), hidden);
  if (config.arch->token_types)
    weights.token_types = load.matrix("token_types.weight", all_of(config.token_types), hidden);
  if (config.arch->bidirectional && source.has_tensor("pooler.weight")) {
    weights.pooler = load.matrix("pooler.weight", hidden, hidden);
    weights.pooler_bias = load.vector("pooler.bias", hidden);
  }
  for (size_t index = 0; index < config.layers; ++index) weights.layers.push_back(load_layer(load, config, index));
  return weights;
}

}  // namespace kvzip
