#include "kvzip/cache/kept_rows.h"

#include <algorithm>
#include <utility>

#include "kvzip/base/check.h"
#include "kvzip/base/parallel.h"

namespace kvzip {
namespace {

// Where each head's rows begin: kernels read 16 bytes at a time.
constexpr size_t kAlignment = 16;
// How much more memory than for `most` rows is taken before all layers move to what is their share by now.
constexpr double kMostExcess = 1.0 / 8;

size_t staying(const KeptRows::Change& change, size_t held) { return change.places ? change.places->size() : held; }

/// Of a head that holds `held` rows now.
size_t rows_after(const KeptRows::Change& change, size_t held) { return staying(change, held) + change.rows.size(); }

/// What is known of each row: of those that stay, and of those that join.
template <class Value>
void update_values(const KeptRows::Change& change, const std::vector<Value>& joining, std::vector<Value>& values) {
  if (change.places) {
    size_t next = 0;
    for (const uint32_t place : *change.places) values[next++] = values[place];  // never ahead of `place`
    values.resize(next);
  }
  values.insert(values.end(), joining.begin(), joining.end());
}

}  // namespace

KeptRows::KeptRows(Backend& backend, CacheShape shape, size_t most)
    : backend_(&backend), shape_(std::move(shape)), most_(most), place_of_layer_(shape_.layers()) {
  size_t scored = 0;
  for (const size_t layer : shape_.global_layers()) place_of_layer_[layer] = scored++;
  memory_.resize(scored);
  rows_.resize(scored * shape_.kv_heads);
  capacity_.resize(rows_.size());
  positions_.resize(rows_.size());
  scores_.resize(rows_.size());
}

void KeptRows::update(std::span<const Change> changes, std::span<const Segment> from) {
  check(changes.size() == rows_.size() && from.size() == memory_.size(), "a change for each head, rows for each layer");
  size_t pairs = 0;
  for (size_t i = 0; i < changes.size(); ++i) {
    const size_t joining = changes[i].rows.size();
    check(joining == changes[i].positions.size() && joining == changes[i].scores.size(),
          "each row that is added has a position and a score");
    pairs += rows_after(changes[i], rows_[i].len);
  }
  // As much of all memory as a head has of all rows: memory grown step by step would leave gaps that nothing fits.
  const double room =
      pairs < most_ ? static_cast<double>(most_ - pairs) / static_cast<double>(std::max(pairs, size_t{1})) : 0;
  const std::vector<bool> moves = layers_to_move(changes, pairs, room);
  for (size_t scored = 0; scored < memory_.size(); ++scored) {
    if (moves[scored]) move(scored, changes.subspan(scored * shape_.kv_heads, shape_.kv_heads), room);
  }
  join(changes, from);
  const bool any_go = std::ranges::any_of(changes, [](const Change& change) { return change.places.has_value(); });
  parallel_ranges(changes.size(), any_go ? 1 : changes.size(), [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      update_values(changes[i], changes[i].positions, positions_[i]);
      update_values(changes[i], changes[i].scores, scores_[i]);
    }
  });
}

/// Those whose rows don't fit where they are; or all, where memory would be more than it should be. There will be
/// `pairs` rows.
std::vector<bool> KeptRows::layers_to_move(std::span<const Change> changes, size_t pairs, double room) const {
  std::vector<bool> moves(memory_.size());
  double planned = 0;  // rows that there will be memory for
  for (size_t scored = 0; scored < memory_.size(); ++scored) {
    const size_t first = scored * shape_.kv_heads;
    moves[scored] = !fits(scored, changes.subspan(first, shape_.kv_heads));
    for (size_t i = first; i < first + shape_.kv_heads; ++i) {
      const auto needed = static_cast<double>(rows_after(changes[i], rows_[i].len));
      planned += moves[scored] ? needed * (1 + room) : static_cast<double>(capacity_[i]);
    }
  }
  if (planned > static_cast<double>(std::max(most_, pairs)) * (1 + kMostExcess)) moves.assign(moves.size(), true);
  return moves;
}

/// Whether all rows of the layer stay, and the new ones have room behind them.
bool KeptRows::fits(size_t scored, std::span<const Change> changes) const {
  const size_t first = scored * shape_.kv_heads;
  for (size_t h = 0; h < changes.size(); ++h) {
    if (changes[h].places || rows_after(changes[h], rows_[first + h].len) > capacity_[first + h]) return false;
  }
  return true;
}

/// The rows that stay into new memory, with room for those to come and for `room` times as many more.
void KeptRows::move(size_t scored, std::span<const Change> changes, double room) {
  const std::span<KvRows> held = std::span(rows_).subspan(scored * shape_.kv_heads, shape_.kv_heads);
  const std::span<size_t> capacity = std::span(capacity_).subspan(scored * shape_.kv_heads, shape_.kv_heads);
  const size_t row = shape_.head_row_bytes();
  std::vector<size_t> begins, rows;
  size_t half = 0;
  for (size_t h = 0; h < held.size(); ++h) {
    const size_t needed = rows_after(changes[h], held[h].len);
    rows.push_back(needed + static_cast<size_t>(static_cast<double>(needed) * room));
    begins.push_back(half);
    half += (rows[h] * row + kAlignment - 1) / kAlignment * kAlignment;
  }
  Buffer memory = half > 0 ? Buffer(*backend_, 2 * half) : Buffer();
  std::vector<KvRows> next(held.size());
  std::vector<HeadGather> stay;
  for (size_t h = 0; h < held.size(); ++h) {
    if (rows[h] == 0) continue;
    next[h].k = static_cast<std::byte*>(memory.data()) + begins[h];
    next[h].v = static_cast<std::byte*>(next[h].k) + half;
    next[h].len = staying(changes[h], held[h].len);
    const auto& places = changes[h].places;
    stay.push_back({held[h], places ? std::span(*places) : std::span<const uint32_t>(), next[h].len, next[h]});
  }
  backend_->gather_heads(stay, shape_.dtype, shape_.dtype, shape_.head_dim);
  std::ranges::copy(next, held.begin());
  std::ranges::copy(rows, capacity.begin());
  memory_[scored] = std::move(memory);
}

void KeptRows::join(std::span<const Change> changes, std::span<const Segment> from) {
  const size_t row = shape_.head_row_bytes();
  std::vector<HeadGather> joining;
  for (size_t i = 0; i < changes.size(); ++i) {
    const size_t count = changes[i].rows.size();
    if (count == 0) continue;
    KvRows& held = rows_[i];
    const KvRows behind{static_cast<std::byte*>(held.k) + held.len * row,
                        static_cast<std::byte*>(held.v) + held.len * row, count};
    joining.push_back({from[i / shape_.kv_heads].heads[i % shape_.kv_heads], changes[i].rows, count, behind});
    held.len += count;
  }
  if (!joining.empty()) backend_->gather_heads(joining, from.front().dtype, shape_.dtype, shape_.head_dim);
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
    capacity_[i] = 0;
    positions_[i].clear();
    scores_[i].clear();
  }
}

}  // namespace kvzip
