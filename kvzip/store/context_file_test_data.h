// Made-up contexts for tests of context files: ragged heads, a sliding layer, scores with ties. One thread.
#pragma once

#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "kvzip/cache/context.h"
#include "kvzip/policy/level.h"
#include "kvzip/store/context_file.h"
#include "kvzip/store/context_writer.h"

namespace kvzip {

/// A document that was read and scored; every call of context() compresses it afresh.
class MadeUpDocument {
 public:
  explicit MadeUpDocument(uint32_t seed, CacheShape shape, size_t system_len, size_t document_len)
      : shape_(std::move(shape)), random_(seed), scores_(shape_.global_layers().size(), shape_.kv_heads, document_len) {
    for (size_t i = 0; i < system_len; ++i) system_.push_back(static_cast<TokenId>(random_() % 50'000));
    for (size_t i = 0; i < document_len; ++i) document_.push_back(static_cast<TokenId>(random_() % 50'000));
    for (size_t i = 0; i < document_len; ++i) text_ += static_cast<char>(random_() % 256);
    // Some heads matter more than others, and many scores are equal.
    for (size_t head = 0; head < scores_.layers * scores_.kv_heads; ++head) {
      const float scale = std::pow(uniform(), 2.0F);
      for (float& score : scores_.row(head / scores_.kv_heads, head % scores_.kv_heads))
        score = std::floor(uniform() * scale * 300) / 300;
    }
    const size_t width = shape_.kv_heads * shape_.head_dim;
    for (size_t layer = 0; layer < 2 * shape_.layers(); ++layer) {
      auto& rows = rows_.emplace_back((system_len + document_len) * width);
      for (float& value : rows) value = 2 * uniform() - 1;
    }
  }

  const CacheShape& shape() const { return shape_; }
  const Scores& scores() const { return scores_; }
  const std::string& text() const { return text_; }
  std::vector<TokenId> tokens() const {
    std::vector<TokenId> all = system_;
    all.insert(all.end(), document_.begin(), document_.end());
    return all;
  }

  Context context(const Keep& keep) {
    CacheShape tail_shape = shape_;
    tail_shape.dtype = tail_type(shape_.dtype);
    Tail tail(*backend_, tail_shape, 0);
    const size_t width = shape_.kv_heads * shape_.head_dim;
    const auto view = [&](const std::vector<float>& rows) {
      return ConstView{rows.data(), DType::f32, rows.size() / width, width, width * sizeof(float)};
    };
    for (size_t layer = 0; layer < shape_.layers(); ++layer)
      tail.append(layer, view(rows_[2 * layer]), view(rows_[2 * layer + 1]));
    return Context::from_tail(*backend_, std::move(tail), system_.size(), scores_, keep, shape_.dtype);
  }
  Context context(Level level, double ratio) { return context(select(scores_, level, ratio).keep); }

  ContextOrigin origin(Level level, double ratio) const {
    return {.system = system_,
            .document = document_,
            .text = text_,
            .title = "made up.txt",
            .model_name = "none",
            .fingerprint = {{"weights", "0123"}, {"rope", "base 10000"}},
            .scoring = "exact",
            .level = level,
            .ratio = ratio};
  }
  /// Compresses and writes.
  uint64_t write(const std::string& path, Level level, double ratio, const WriteOptions& options = {}) {
    return write_context(path, context(level, ratio), origin(level, ratio), options);
  }
  uint64_t write(ByteSink& out, Level level, double ratio, const WriteOptions& options = {}) {
    return write_context(out, "made up", context(level, ratio), origin(level, ratio), options);
  }

  Backend& backend() { return *backend_; }
  float uniform() { return std::uniform_real_distribution<float>(0, 1)(random_); }
  uint32_t random(uint32_t below) { return static_cast<uint32_t>(random_() % below); }

 private:
  CacheShape shape_;
  std::mt19937 random_;
  std::unique_ptr<Backend> backend_ = make_cpu_backend();
  Scores scores_;
  std::vector<TokenId> system_, document_;
  std::string text_;
  std::vector<std::vector<float>> rows_;  // per layer keys and values, [positions, kv_heads * dim]
};

/// Nothing where both hold the same rows in the same order, else what differs first.
inline std::string difference(const Context& a, const Context& b) {
  if (a.held().rows != b.held().rows) return "rows kept";
  if (a.read_tokens() != b.read_tokens() || a.system_len() != b.system_len()) return "tokens";
  if (a.bytes() != b.bytes()) return "bytes";
  for (size_t head = 0; head < a.held().rows.size(); ++head) {
    const auto order_a = a.order(head / a.shape().kv_heads, head % a.shape().kv_heads);
    const auto order_b = b.order(head / a.shape().kv_heads, head % a.shape().kv_heads);
    if (!std::equal(order_a.begin(), order_a.end(), order_b.begin(), order_b.end())) return "order";
  }
  const ContextCut cut_a(a, a.held());
  const ContextCut cut_b(b, b.held());
  const size_t row = a.shape().head_row_bytes();
  for (size_t layer = 0; layer < a.shape().layers(); ++layer) {
    const Segment left = cut_a.segment(layer);
    const Segment right = cut_b.segment(layer);
    if (left.dtype != right.dtype || left.positional != right.positional || left.first_position != right.first_position)
      return "segment of layer " + std::to_string(layer);
    for (size_t h = 0; h < left.heads.size(); ++h) {
      const KvRows& x = left.heads[h];
      const KvRows& y = right.heads[h];
      if (x.len != y.len) return "rows of layer " + std::to_string(layer);
      if (x.len > 0 && (std::memcmp(x.k, y.k, x.len * row) != 0 || std::memcmp(x.v, y.v, x.len * row) != 0))
        return "bytes of layer " + std::to_string(layer);
    }
  }
  return {};
}

}  // namespace kvzip
