#include "kvzip/cache/context.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "kvzip/base/check.h"
#include "kvzip/base/parallel.h"
#include "kvzip/base/ranking.h"

namespace kvzip {
namespace {

/// One head's memory: `rows` keys, then `rows` values.
Buffer head_memory(Backend& backend, size_t rows, size_t row_bytes, KvRows& head) {
  Buffer memory(backend, 2 * rows * row_bytes);
  head = {.k = memory.data(), .v = static_cast<std::byte*>(memory.data()) + rows * row_bytes, .len = rows};
  return memory;
}

/// Rows in host memory as the device reads them. The context never writes to them.
void* adopt(Backend& backend, const std::byte* rows, size_t len, const CacheShape& shape, Buffer& keep_alive) {
  if (len == 0) return nullptr;
  const ConstView host{rows, shape.dtype, len, shape.head_dim, shape.head_row_bytes()};
  return const_cast<void*>(backend.adopt(host, keep_alive).data);
}

}  // namespace

Context::Context(Backend& backend, CacheShape shape, size_t read_tokens, size_t system_len, Scores scores,
                 const Keep& keep)
    : backend_(&backend),
      shape_(std::move(shape)),
      read_tokens_(read_tokens),
      system_len_(system_len),
      scored_layers_(shape_.global_layers()),
      scores_(std::move(scores)),
      order_(keep.rows.size()),
      held_(keep),
      layers_(shape_.layers()) {
  check(scores_.layers == scored_layers_.size(), "scores cover every global layer");
  check(scores_.len == document_len() && keep.rows.size() == scores_.layers * scores_.kv_heads,
        "scores and keep belong to this document");
}

Context Context::from_tail(Backend& backend, Tail&& tail, size_t system_len, Scores scores, const Keep& keep,
                           DType dtype) {
  CacheShape shape = tail.shape();
  shape.dtype = dtype;
  Context context(backend, std::move(shape), tail.end_position(), system_len, std::move(scores), keep);
  parallel_ranges(context.order_.size(), 1, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      const auto scores_of_head = context.scores_.row(i / keep.kv_heads, i % keep.kv_heads);
      context.order_[i] = largest_first(scores_of_head, keep.rows[i]);
    }
  });

  size_t scored = 0;
  for (size_t layer = 0; layer < context.layers_.size(); ++layer) {
    if (context.shape_.windows[layer] == 0) {
      context.copy_scored(tail, layer, scored++);
    } else {
      context.copy_window(tail, layer);
    }
    tail.release_layer(layer);
  }
  return context;
}

Context Context::from_kept(Backend& backend, Tail&& tail, KeptRows&& kept, size_t system_len, Scores scores,
                           const Keep& keep) {
  Context context(backend, kept.shape(), tail.end_position(), system_len, std::move(scores), keep);
  std::vector<std::vector<uint32_t>> places(keep.rows.size());  // among the rows held, best first
  parallel_ranges(places.size(), 1, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      const std::span<const uint32_t> positions = kept.positions(i / keep.kv_heads, i % keep.kv_heads);
      places[i] = largest_first(kept.scores(i / keep.kv_heads, i % keep.kv_heads), keep.rows[i]);
      context.order_[i].resize(places[i].size());
      std::ranges::transform(places[i], context.order_[i].begin(), [&](uint32_t place) { return positions[place]; });
    }
  });
  size_t scored = 0;
  for (size_t layer = 0; layer < context.layers_.size(); ++layer) {
    if (context.shape_.windows[layer] == 0) {
      context.copy_kept(tail, kept, layer, std::span(places).subspan(scored * keep.kv_heads, keep.kv_heads));
      kept.release(scored++);
    } else {
      context.copy_window(tail, layer);
    }
    tail.release_layer(layer);
  }
  return context;
}

Context Context::from_rows(Backend& backend, ContextRows rows) {
  Context context;
  context.backend_ = &backend;
  context.shape_ = std::move(rows.shape);
  context.read_tokens_ = rows.read_tokens;
  context.system_len_ = rows.system_len;
  context.scored_layers_ = context.shape_.global_layers();
  context.scores_ = std::move(rows.scores);
  context.order_ = std::move(rows.order);
  context.held_ = std::move(rows.held);
  context.host_memory_ = std::move(rows.memory);
  const CacheShape& shape = context.shape_;
  check(rows.heads.size() == shape.layers() * shape.kv_heads &&
            context.held_.rows.size() == context.scored_layers_.size() * shape.kv_heads &&
            context.order_.size() == context.held_.rows.size(),
        "rows of every head, and an order for those that are scored");
  for (size_t index = 0; index < shape.layers(); ++index) {
    Layer layer;
    layer.positional = shape.windows[index] != 0;
    for (size_t h = 0; h < shape.kv_heads; ++h) {
      const ContextRows::Head& head = rows.heads[index * shape.kv_heads + h];
      layer.heads.push_back({.k = adopt(backend, head.k, head.len, shape, layer.memory.emplace_back()),
                             .v = adopt(backend, head.v, head.len, shape, layer.values.emplace_back()),
                             .len = head.len});
    }
    if (layer.positional) layer.first_position = context.read_tokens_ - layer.heads.front().len;
    context.layers_.push_back(std::move(layer));
  }
  return context;
}

void Context::copy_scored(const Tail& tail, size_t layer, size_t scored) {
  const Segment rows = tail.segment(layer);
  Layer& to = layers_[layer];
  to.heads.resize(shape_.kv_heads);
  for (size_t h = 0; h < shape_.kv_heads; ++h) {
    const std::vector<uint32_t>& order = order_[scored * shape_.kv_heads + h];
    std::vector<uint32_t> index(system_len_ + order.size());
    std::iota(index.begin(), index.begin() + static_cast<std::ptrdiff_t>(system_len_), 0U);
    std::transform(order.begin(), order.end(), index.begin() + static_cast<std::ptrdiff_t>(system_len_),
                   [this](uint32_t position) { return position + static_cast<uint32_t>(system_len_); });
    copy_rows(rows, h, index, to);
  }
}

// A query at the first position after the document sees window - 1 rows of it; later queries see fewer.
void Context::copy_window(const Tail& tail, size_t layer) {
  const Segment rows = tail.segment(layer);
  const size_t len = rows.heads.front().len;
  const size_t kept = std::min(len, shape_.windows[layer] - 1);
  Layer& to = layers_[layer];
  to.positional = true;
  to.first_position = rows.first_position + len - kept;
  to.heads.resize(shape_.kv_heads);
  std::vector<uint32_t> index(kept);
  std::iota(index.begin(), index.end(), static_cast<uint32_t>(len - kept));
  for (size_t h = 0; h < shape_.kv_heads; ++h) copy_rows(rows, h, index, to);
}

void Context::copy_kept(const Tail& tail, KeptRows& kept, size_t layer, std::span<const std::vector<uint32_t>> places) {
  const Segment front = tail.segment(layer);
  const Segment rows = kept.segment(layer);
  const size_t system_bytes = system_len_ * shape_.head_row_bytes();
  Layer& to = layers_[layer];
  to.heads.resize(shape_.kv_heads);
  std::vector<HeadGather> system;
  std::vector<HeadGather> document;
  for (size_t h = 0; h < shape_.kv_heads; ++h) {
    KvRows& head = to.heads[h];
    to.memory.push_back(head_memory(*backend_, system_len_ + places[h].size(), shape_.head_row_bytes(), head));
    system.push_back({front.heads[h], {}, system_len_, head});
    const KvRows behind{static_cast<std::byte*>(head.k) + system_bytes, static_cast<std::byte*>(head.v) + system_bytes,
                        places[h].size()};
    document.push_back({rows.heads[h], places[h], places[h].size(), behind});
  }
  backend_->gather_heads(system, front.dtype, shape_.dtype, shape_.head_dim);
  backend_->gather_heads(document, rows.dtype, shape_.dtype, shape_.head_dim);
}

void Context::copy_rows(const Segment& from, size_t head, std::span<const uint32_t> index, Layer& to) {
  to.memory.push_back(head_memory(*backend_, index.size(), shape_.head_row_bytes(), to.heads[head]));
  const HeadGather rows{from.heads[head], index, index.size(), to.heads[head]};
  backend_->gather_heads({&rows, 1}, from.dtype, shape_.dtype, shape_.head_dim);
}

size_t Context::bytes() const {
  size_t rows = 0;
  for (const Layer& layer : layers_) {
    for (const KvRows& head : layer.heads) rows += head.len;
  }
  return 2 * rows * shape_.head_row_bytes();
}

size_t Context::bytes(const Keep& keep) const {
  return bytes() - 2 * (held_.pairs() - keep.pairs()) * shape_.head_row_bytes();
}

void Context::shrink(const Keep& keep) {
  const ContextCut fits(*this, keep);  // throws where it asks for more than is held
  const size_t row = shape_.head_row_bytes();
  for (size_t scored = 0; scored < scored_layers_.size(); ++scored) {
    Layer& layer = layers_[scored_layers_[scored]];
    for (size_t h = 0; h < shape_.kv_heads; ++h) {
      const size_t i = scored * shape_.kv_heads + h;
      const size_t rows = system_len_ + keep.rows[i];
      if (rows == layer.heads[h].len) continue;
      KvRows smaller;
      Buffer memory = head_memory(*backend_, rows, row, smaller);
      backend_->copy(smaller.k, layer.heads[h].k, rows * row);
      backend_->copy(smaller.v, layer.heads[h].v, rows * row);
      layer.heads[h] = smaller;
      layer.memory[h] = std::move(memory);
      if (!layer.values.empty()) layer.values[h] = Buffer();
      order_[i].resize(keep.rows[i]);
      order_[i].shrink_to_fit();
      held_.rows[i] = keep.rows[i];
    }
  }
}

ContextCut::ContextCut(const Context& context, const Keep& keep)
    : context_(&context), keep_(keep), heads_(context.layers_.size()) {
  check(keep.rows.size() == context.held_.rows.size(), "a keep belongs to the context it was made for");
  for (size_t layer = 0; layer < heads_.size(); ++layer) heads_[layer] = context.layers_[layer].heads;
  for (size_t scored = 0; scored < context.scored_layers_.size(); ++scored) {
    for (size_t h = 0; h < keep.kv_heads; ++h) {
      if (keep.at(scored, h) > context.held_.at(scored, h)) {
        throw Error(ErrorCode::usage,
                    fmt::format("keep ratio {:.3f}: this context was compressed to {:.3f} and can only be cut further",
                                keep.ratio(), context.held_.ratio()));
      }
      heads_[context.scored_layers_[scored]][h].len = context.system_len_ + keep.at(scored, h);
    }
  }
}

Segment ContextCut::segment(size_t layer) const {
  const Context::Layer& rows = context_->layers_[layer];
  return {.heads = heads_[layer],
          .dtype = context_->shape_.dtype,
          .positional = rows.positional,
          .first_position = rows.first_position};
}

}  // namespace kvzip
