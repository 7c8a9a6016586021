#include "kvzip/model/random_weights.h"

#include <algorithm>
#include <functional>

#include "kvzip/base/error.h"
#include "kvzip/base/parallel.h"

namespace kvzip {
namespace {

/// Matrices begin at different values of the block, a multiple of this apart: 64 bytes.
constexpr size_t kStep = 32;
constexpr size_t kStarts = 4096;

/// 64 bits of a number, as splitmix64 scrambles them.
uint64_t scrambled(uint64_t number) {
  number += 0x9E3779B97F4A7C15U;
  number = (number ^ number >> 30U) * 0xBF58476D1CE4E5B9U;
  number = (number ^ number >> 27U) * 0x94D049BB133111EBU;
  return number ^ number >> 31U;
}

/// bf16 values of magnitudes from 2^-7 to 2^-5, as weights have: sign, lowest bit of the exponent and mantissa are
/// random.
std::vector<uint16_t> random_values(size_t count) {
  std::vector<uint16_t> values(count);
  parallel_ranges(count / 4, size_t{1} << 16U, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      const uint64_t bits = scrambled(i);
      for (size_t j = 0; j < 4; ++j) values[4 * i + j] = static_cast<uint16_t>((bits >> 16U * j & 0x80FFU) | 0x3C00U);
    }
  });
  return values;
}

}  // namespace

RandomWeights::RandomWeights(const ModelConfig& config)
    : path_("random weights of the shape " + config.name),
      hidden_(config.hidden),
      queries_(config.heads * config.head_dim),
      keys_(config.kv_heads * config.head_dim),
      head_dim_(config.head_dim),
      feed_forward_(config.feed_forward),
      vocab_(config.vocab) {
  const size_t widest = std::max({hidden_, queries_, feed_forward_});
  random_ = random_values(hidden_ * std::max({vocab_, queries_, feed_forward_}) + kStep * kStarts);
  ones_.assign(widest, 1.0F);
  zeros_.assign(widest, 0.0F);
}

StoredTensor RandomWeights::tensor(std::string_view name) const {
  StoredTensor tensor;
  tensor.name = name;
  tensor.shape = shape_of(name);
  if (tensor.shape.empty()) throw Error(ErrorCode::input, path_ + ": no tensor " + tensor.name);
  if (tensor.shape.size() == 1) {
    const std::vector<float>& values = name.ends_with(".bias") ? zeros_ : ones_;
    tensor.dtype = DType::f32;
    tensor.data = std::as_bytes(std::span(values).first(tensor.shape[0]));
    return tensor;
  }
  const size_t start = std::hash<std::string_view>()(name) % kStarts * kStep;
  tensor.dtype = DType::bf16;
  tensor.data = std::as_bytes(std::span(random_).subspan(start, tensor.shape[0] * tensor.shape[1]));
  return tensor;
}

std::vector<uint64_t> RandomWeights::shape_of(std::string_view name) const {
  struct Known {
    std::string_view end;
    std::vector<uint64_t> shape;
  };
  const Known known[] = {
      {"token_embd.weight", {hidden_, vocab_}},
      {"output.weight", {hidden_, vocab_}},
      {"output_norm.weight", {hidden_}},
      {".attn_norm.weight", {hidden_}},
      {".ffn_norm.weight", {hidden_}},
      {".post_attention_norm.weight", {hidden_}},
      {".post_ffw_norm.weight", {hidden_}},
      {".attn_q_norm.weight", {head_dim_}},
      {".attn_k_norm.weight", {head_dim_}},
      {".attn_q.weight", {hidden_, queries_}},
      {".attn_k.weight", {hidden_, keys_}},
      {".attn_v.weight", {hidden_, keys_}},
      {".attn_q.bias", {queries_}},
      {".attn_k.bias", {keys_}},
      {".attn_v.bias", {keys_}},
      {".attn_output.weight", {queries_, hidden_}},
      {".ffn_gate.weight", {hidden_, feed_forward_}},
      {".ffn_up.weight", {hidden_, feed_forward_}},
      {".ffn_down.weight", {feed_forward_, hidden_}},
  };
  for (const auto& [end, shape] : known) {
    if (end.starts_with('.') ? name.ends_with(end) : name == end) return shape;
  }
  return {};
}

}  // namespace kvzip
