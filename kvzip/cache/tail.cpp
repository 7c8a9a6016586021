#include "kvzip/cache/tail.h"

#include <algorithm>

#include "kvzip/base/check.h"

namespace kvzip {
namespace {

// A question with its answer mostly fits without growing.
constexpr size_t kFirstCapacity = 256;

}  // namespace

Tail::Tail(Backend& backend, CacheShape shape, size_t first_position)
    : backend_(&backend), shape_(std::move(shape)), first_position_(first_position), layers_(shape_.layers()) {
  for (Layer& layer : layers_) {
    layer.first_position = first_position;
    layer.heads.resize(shape_.kv_heads);
  }
}

void Tail::reserve(size_t rows, size_t batch) {
  for (size_t i = 0; i < layers_.size(); ++i) {
    const size_t window = shape_.windows[i];
    const size_t needed = layers_[i].len() + rows;
    const size_t seen = window == 0 ? needed : std::min(needed, window + batch);
    if (seen > layers_[i].capacity) grow(layers_[i], seen);
  }
}

Tail Tail::continuation(size_t first_position) const {
  Tail next(*backend_, shape_, first_position);
  const size_t row = shape_.head_row_bytes();
  for (size_t i = 0; i < layers_.size(); ++i) {
    if (shape_.windows[i] > 0) continue;  // these move their rows about
    const Layer& layer = layers_[i];
    next.layers_[i].capacity = layer.capacity - layer.len();
    for (size_t h = 0; h < shape_.kv_heads; ++h) {
      const KvRows& head = layer.heads[h];
      next.layers_[i].heads[h] = {static_cast<std::byte*>(head.k) + head.len * row,
                                  static_cast<std::byte*>(head.v) + head.len * row, 0};
    }
  }
  return next;
}

std::span<const KvRows> Tail::extend(size_t index, size_t rows) {
  Layer& layer = layers_[index];
  if (layer.len() + rows > layer.capacity) {
    if (shape_.windows[index] > 0) drop_unseen(layer, shape_.windows[index]);
    const size_t needed = layer.len() + rows;
    if (needed > layer.capacity) grow(layer, std::max({needed, 2 * layer.capacity, kFirstCapacity}));
  }
  for (KvRows& head : layer.heads) head.len += rows;
  return layer.heads;
}

void Tail::append(size_t index, const ConstView& k, const ConstView& v) {
  const std::span<const KvRows> heads = extend(index, k.rows);
  backend_->store_kv(k, v, heads, shape_.dtype, heads.front().len - k.rows);
}

void Tail::append_rows(size_t index, const Tail& from, size_t begin, size_t count) {
  Layer& layer = layers_[index];
  const std::vector<KvRows>& source = from.layers_[index].heads;
  check(begin + count <= source.front().len, "rows to copy are held");
  if (layer.len() + count > layer.capacity) grow(layer, layer.len() + count);
  const size_t row = shape_.head_row_bytes();
  for (size_t h = 0; h < layer.heads.size(); ++h) {
    KvRows& head = layer.heads[h];
    const auto copy = [&](void* to, const void* rows) {
      backend_->copy(static_cast<std::byte*>(to) + head.len * row, static_cast<const std::byte*>(rows) + begin * row,
                     count * row);
    };
    copy(head.k, source[h].k);
    copy(head.v, source[h].v);
    head.len += count;
  }
}

void Tail::truncate(size_t end) {
  for (Layer& layer : layers_) {
    if (layer.end() <= end) continue;
    check(end >= layer.first_position, "a tail can't be cut back before its first row");
    for (KvRows& head : layer.heads) head.len = end - layer.first_position;
  }
}

void Tail::drop_rows(size_t begin, size_t count) {
  const std::vector<size_t> global = shape_.global_layers();
  if (count == 0 || global.empty()) return;
  const size_t left = layers_[global.front()].len() - count;
  check(begin <= left, "rows to drop are held");
  const size_t row = shape_.head_row_bytes();
  // At most `count` rows at once, so that they don't move over each other.
  for (size_t at = begin; at < left; at += count) {
    const size_t rows = std::min(count, left - at);
    std::vector<HeadGather> moves;
    for (const size_t layer : global) {
      for (const KvRows& head : layers_[layer].heads) {
        const auto rows_at = [&](size_t first) {
          return KvRows{static_cast<std::byte*>(head.k) + first * row, static_cast<std::byte*>(head.v) + first * row,
                        rows};
        };
        moves.push_back({rows_at(at + count), {}, rows, rows_at(at)});
      }
    }
    backend_->gather_heads(moves, shape_.dtype, shape_.dtype, shape_.head_dim);
  }
  for (const size_t layer : global) {
    layers_[layer].first_position += count;
    for (KvRows& head : layers_[layer].heads) head.len = left;
  }
}

void Tail::release_layer(size_t index) {
  layers_[index].memory = Buffer();
  layers_[index].capacity = 0;
  for (KvRows& head : layers_[index].heads) head = KvRows{};
}

Segment Tail::segment(size_t index) const {
  const Layer& layer = layers_[index];
  return {.heads = layer.heads, .dtype = shape_.dtype, .positional = true, .first_position = layer.first_position};
}

size_t Tail::bytes() const {
  size_t rows = 0;
  for (const Layer& layer : layers_) rows += layer.len();
  return 2 * rows * shape_.kv_heads * shape_.head_row_bytes();
}

// The next query stands at layer.end() and sees the window - 1 rows before it.
void Tail::drop_unseen(Layer& layer, size_t window) {
  const size_t kept = std::min(layer.len(), window - 1);
  const size_t dropped = layer.len() - kept;
  if (dropped == 0) return;
  const size_t row = shape_.head_row_bytes();
  for (KvRows& head : layer.heads) {
    backend_->copy(head.k, static_cast<const std::byte*>(head.k) + dropped * row, kept * row);
    backend_->copy(head.v, static_cast<const std::byte*>(head.v) + dropped * row, kept * row);
    head.len = kept;
  }
  layer.first_position += dropped;
}

void Tail::grow(Layer& layer, size_t capacity) {
  const size_t row = shape_.head_row_bytes();
  const size_t head_bytes = capacity * row;
  Buffer memory(*backend_, 2 * shape_.kv_heads * head_bytes);
  auto* keys = static_cast<std::byte*>(memory.data());
  std::byte* values = keys + shape_.kv_heads * head_bytes;
  for (size_t h = 0; h < shape_.kv_heads; ++h) {
    KvRows& head = layer.heads[h];
    if (head.len > 0) {
      backend_->copy(keys + h * head_bytes, head.k, head.len * row);
      backend_->copy(values + h * head_bytes, head.v, head.len * row);
    }
    head.k = keys + h * head_bytes;
    head.v = values + h * head_bytes;
  }
  layer.memory = std::move(memory);
  layer.capacity = capacity;
}

}  // namespace kvzip
