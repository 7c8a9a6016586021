#include "kvzip/cache/kept_rows.h"

#include <algorithm>
#include <utility>

#include "kvzip/base/check.h"

namespace kvzip {
namespace {

// Where each head's rows begin: kernels read 16 bytes at a time.
constexpr size_t kAlignment = 16;

size_t staying(const KeptRows::Change& change, const KvRows& held) {
  return change.places ? change.places->size() : held.len;
}

void update_positions(const KeptRows::Change& change, std::vector<uint32_t>& positions) {
  if (change.places) {
    std::vector<uint32_t> left;
    left.reserve(change.places->size() + change.positions.size());
    for (const uint32_t place : *change.places) left.push_back(positions[place]);
    positions = std::move(left);
  }
  positions.insert(positions.end(), change.positions.begin(), change.positions.end());
}

}  // namespace

KeptRows::KeptRows(Backend& backend, CacheShape shape)
    : backend_(&backend), shape_(std::move(shape)), place_of_layer_(shape_.layers()) {
  size_t scored = 0;
  for (const size_t layer : shape_.global_layers()) place_of_layer_[layer] = scored++;
  memory_.resize(scored);
  rows_.resize(scored * shape_.kv_heads);
  positions_.resize(rows_.size());
}

void KeptRows::update(size_t scored, std::span<const Change> changes, const Segment& from) {
  check(changes.size() == shape_.kv_heads, "a change for each head");
  const std::span<KvRows> held = std::span(rows_).subspan(scored * shape_.kv_heads, shape_.kv_heads);
  const size_t row = shape_.head_row_bytes();
  std::vector<KvRows> next(held.size());
  std::vector<size_t> begins(held.size());
  size_t half = 0;
  for (size_t h = 0; h < held.size(); ++h) {
    check(changes[h].rows.size() == changes[h].positions.size(), "each row that is added has a position");
    begins[h] = half;
    next[h].len = staying(changes[h], held[h]) + changes[h].rows.size();
    half += (next[h].len * row + kAlignment - 1) / kAlignment * kAlignment;
  }
  Buffer memory = half > 0 ? Buffer(*backend_, 2 * half) : Buffer();
  std::vector<HeadGather> stay;
  std::vector<HeadGather> join;
  for (size_t h = 0; h < held.size(); ++h) {
    if (next[h].len == 0) continue;
    const Change& change = changes[h];
    next[h].k = static_cast<std::byte*>(memory.data()) + begins[h];
    next[h].v = static_cast<std::byte*>(next[h].k) + half;
    const size_t before = staying(change, held[h]);
    stay.push_back({held[h], change.places ? std::span(*change.places) : std::span<const uint32_t>(), before, next[h]});
    join.push_back({from.heads[h],
                    change.rows,
                    change.rows.size(),
                    {static_cast<std::byte*>(next[h].k) + before * row,
                     static_cast<std::byte*>(next[h].v) + before * row, change.rows.size()}});
  }
  backend_->gather_heads(stay, shape_.dtype, shape_.dtype, shape_.head_dim);
  backend_->gather_heads(join, from.dtype, shape_.dtype, shape_.head_dim);
  for (size_t h = 0; h < held.size(); ++h) update_positions(changes[h], positions_[scored * shape_.kv_heads + h]);
  std::ranges::copy(next, held.begin());
  memory_[scored] = std::move(memory);
}

Segment KeptRows::segment(size_t layer) const {
  const auto rows = std::span(rows_).subspan(place_of_layer_[layer] * shape_.kv_heads, shape_.kv_heads);
  return {.heads = rows, .dtype = shape_.dtype, .positional = false};
}

size_t KeptRows::pairs() const {
  size_t pairs = 0;
  for (const KvRows& head : rows_) pairs += head.len;
  return pairs;
}

size_t KeptRows::bytes() const {
  size_t bytes = 0;
  for (const Buffer& memory : memory_) bytes += memory.bytes();
  return bytes;
}

void KeptRows::release(size_t scored) {
  memory_[scored] = Buffer();
  for (size_t i = scored * shape_.kv_heads; i < (scored + 1) * shape_.kv_heads; ++i) {
    rows_[i] = KvRows{};
    positions_[i].clear();
  }
}

}  // namespace kvzip
