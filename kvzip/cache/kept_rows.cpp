#include "kvzip/cache/kept_rows.h"

#include <utility>

#include "kvzip/base/check.h"

namespace kvzip {
namespace {

// Of its rows, the room that a head gets beyond them: a chunk adds less than that to most heads.
constexpr size_t kRoomDivisor = 16;

}  // namespace

KeptRows::KeptRows(Backend& backend, CacheShape shape)
    : backend_(&backend), shape_(std::move(shape)), place_of_layer_(shape_.layers()) {
  size_t scored = 0;
  for (const size_t layer : shape_.global_layers()) place_of_layer_[layer] = scored++;
  heads_.resize(scored * shape_.kv_heads);
  rows_.resize(heads_.size());
}

void KeptRows::update(size_t scored, size_t head_index, const Change& change, const Segment& from) {
  Head& head = heads_[scored * shape_.kv_heads + head_index];
  KvRows& held = rows_[scored * shape_.kv_heads + head_index];
  check(change.rows.size() == change.positions.size(), "each row that is added has a position");
  const size_t row = shape_.head_row_bytes();
  const size_t len = change.places.size() + change.rows.size();
  const bool all_stay = change.places.size() == held.len;
  KvRows next{held.k, held.v, len};
  Buffer memory;
  size_t capacity = head.capacity;
  if (!all_stay || len > capacity) {
    capacity = len + len / kRoomDivisor;
    memory = Buffer(*backend_, 2 * capacity * row);
    next.k = memory.data();
    next.v = static_cast<std::byte*>(memory.data()) + capacity * row;
  }
  const KvRows& added = from.heads[head_index];
  const auto gather = [&](const void* source, DType dtype, size_t rows, std::span<const uint32_t> index, void* to,
                          size_t at) {
    if (index.empty()) return;
    backend_->gather_rows({source, dtype, rows, shape_.head_dim, padded_row_bytes(dtype, shape_.head_dim)}, index,
                          {static_cast<std::byte*>(to) + at * row, shape_.dtype, index.size(), shape_.head_dim, row});
  };
  for (const auto& [old, other, to] : {std::tuple{held.k, added.k, next.k}, std::tuple{held.v, added.v, next.v}}) {
    if (memory.data() != nullptr) gather(old, shape_.dtype, held.len, change.places, to, 0);
    gather(other, from.dtype, added.len, change.rows, to, change.places.size());
  }
  std::vector<uint32_t> positions;
  positions.reserve(len);
  for (const uint32_t place : change.places) positions.push_back(head.positions[place]);
  positions.insert(positions.end(), change.positions.begin(), change.positions.end());
  if (memory.data() != nullptr || len == 0) head.memory = std::move(memory);
  head.capacity = len == 0 ? 0 : capacity;
  head.positions = std::move(positions);
  held = len == 0 ? KvRows{} : next;
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
  for (const Head& head : heads_) bytes += head.memory.bytes();
  return bytes;
}

void KeptRows::release(size_t scored, size_t head) {
  heads_[scored * shape_.kv_heads + head] = Head{};
  rows_[scored * shape_.kv_heads + head] = KvRows{};
}

}  // namespace kvzip
