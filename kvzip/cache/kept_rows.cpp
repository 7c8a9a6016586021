#include "kvzip/cache/kept_rows.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "kvzip/base/check.h"
#include "kvzip/base/parallel.h"

namespace kvzip {
namespace {

// Where each head's rows begin: kernels read 16 bytes at a time.
constexpr size_t kAlignment = 16;
// By how much all memory may exceed what `most` rows need: with the first rows, as some layers' shares will grow, and
// later, before all layers move into what their shares are by then.
constexpr double kFirstExcess = 1.0 / 32, kMostExcess = 1.0 / 8;

size_t staying(const KeptRows::Change& change, size_t held) { return change.places ? change.places->size() : held; }

/// Of a head that holds `held` rows now.
size_t rows_after(const KeptRows::Change& change, size_t held) { return staying(change, held) + change.rows.size(); }

/// How many times as many rows as are `needed` fit into so many bytes, less one.
double room_in(size_t bytes, std::span<const size_t> needed, size_t row) {
  const size_t gaps = row % kAlignment == 0 ? 0 : 2 * needed.size() * kAlignment;
  const double rows = (static_cast<double>(bytes) - static_cast<double>(gaps)) / static_cast<double>(2 * row);
  return rows / static_cast<double>(std::max(std::reduce(needed.begin(), needed.end()), size_t{1})) - 1;
}

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
  std::vector<size_t> needed;
  for (size_t i = 0; i < changes.size(); ++i) {
    const size_t joining = changes[i].rows.size();
    check(joining == changes[i].positions.size() && joining == changes[i].scores.size(),
          "each row that is added has a position and a score");
    needed.push_back(rows_after(changes[i], rows_[i].len));
  }
  make_room(changes, needed);
  join(changes, from);
  const bool any_go = std::ranges::any_of(changes, [](const Change& change) { return change.places.has_value(); });
  parallel_ranges(changes.size(), any_go ? 1 : changes.size(), [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      update_values(changes[i], changes[i].positions, positions_[i]);
      update_values(changes[i], changes[i].scores, scores_[i]);
    }
  });
}

/// Behind what stays, for rows to join: each head will have as many as it needs.
void KeptRows::make_room(std::span<const Change> changes, std::span<const size_t> needed) {
  const auto pairs = static_cast<double>(std::max(std::reduce(needed.begin(), needed.end()), size_t{1}));
  // As much of all memory as a layer has of all rows: memory grown step by step would leave gaps that nothing fits.
  const double room = std::max(static_cast<double>(most_) * (1 + kFirstExcess) / pairs - 1, 0.0);
  const std::vector<Move> moves = moves_of(changes, needed, room);
  size_t most_bytes = 0;
  for (size_t scored = 0; scored < moves.size(); ++scored) {
    if (moves[scored] == Move::within) most_bytes = std::max(most_bytes, memory_[scored].bytes());
  }
  const Buffer scratch(*backend_, most_bytes);
  for (size_t scored = 0; scored < moves.size(); ++scored) {
    const auto of_layer = needed.subspan(scored * shape_.kv_heads, shape_.kv_heads);
    if (moves[scored] == Move::away) move(scored, changes, of_layer, room, nullptr);
    if (moves[scored] == Move::within) {
      move(scored, changes, of_layer, room_in(memory_[scored].bytes(), of_layer, shape_.head_row_bytes()), &scratch);
    }
  }
}

/// Of each layer; all of them away, where memory would otherwise be more than it may be.
std::vector<KeptRows::Move> KeptRows::moves_of(std::span<const Change> changes, std::span<const size_t> needed,
                                               double room) const {
  const size_t row = shape_.head_row_bytes();
  std::vector<Move> moves;
  double planned = 0;  // rows that there will be memory for
  for (size_t scored = 0; scored < memory_.size(); ++scored) {
    bool fit = true;  // where they are
    for (size_t i = scored * shape_.kv_heads; i < (scored + 1) * shape_.kv_heads; ++i) {
      fit = fit && !changes[i].places && needed[i] <= capacity_[i];
    }
    const auto of_layer = needed.subspan(scored * shape_.kv_heads, shape_.kv_heads);
    const bool suffices = room_in(memory_[scored].bytes(), of_layer, row) >= 0;
    moves.push_back(fit ? Move::none : suffices ? Move::within : Move::away);
    planned += moves.back() == Move::away
                   ? static_cast<double>(std::reduce(of_layer.begin(), of_layer.end())) * (1 + room)
                   : static_cast<double>(memory_[scored].bytes()) / static_cast<double>(2 * row);
  }
  const size_t pairs = std::reduce(needed.begin(), needed.end());
  if (planned > static_cast<double>(std::max(most_, pairs)) * (1 + kMostExcess)) moves.assign(moves.size(), Move::away);
  return moves;
}

/// A layer's rows that stay, and behind each head's, room for those to join and for `room` times as many more. By way
/// of `scratch` within the layer's memory, or where that is null, into other memory.
void KeptRows::move(size_t scored, std::span<const Change> changes, std::span<const size_t> needed, double room,
                    const Buffer* scratch) {
  const size_t first = scored * shape_.kv_heads;
  const size_t row = shape_.head_row_bytes();
  std::vector<size_t> begins;
  size_t half = 0;  // bytes: keys of all heads, then values of all heads
  for (size_t h = 0; h < needed.size(); ++h) {
    capacity_[first + h] = needed[h] + static_cast<size_t>(static_cast<double>(needed[h]) * room);
    begins.push_back(half);
    half += (capacity_[first + h] * row + kAlignment - 1) / kAlignment * kAlignment;
  }
  Buffer other(*backend_, scratch == nullptr ? 2 * half : 0);
  const auto rows_at = [&](const Buffer& memory, size_t h) {
    auto* const keys = static_cast<std::byte*>(memory.data()) + begins[h];
    return KvRows{keys, keys + half, staying(changes[first + h], rows_[first + h].len)};
  };
  std::vector<HeadGather> stay;
  for (size_t h = 0; h < needed.size(); ++h) {
    const auto& places = changes[first + h].places;
    const KvRows to = rows_at(scratch == nullptr ? other : *scratch, h);
    stay.push_back({rows_[first + h], places ? std::span(*places) : std::span<const uint32_t>(), to.len, to});
  }
  backend_->gather_heads(stay, shape_.dtype, shape_.dtype, shape_.head_dim);
  if (scratch == nullptr) {
    memory_[scored] = std::move(other);
  } else {
    for (size_t h = 0; h < needed.size(); ++h) stay[h] = {stay[h].to, {}, stay[h].count, rows_at(memory_[scored], h)};
    backend_->gather_heads(stay, shape_.dtype, shape_.dtype, shape_.head_dim);
  }
  for (size_t h = 0; h < needed.size(); ++h) rows_[first + h] = stay[h].to;
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

size_t KeptRows::expected_bytes(const CacheShape& shape, size_t most) {
  const size_t layers = std::max(shape.global_layers().size(), size_t{1});
  const size_t bytes = most * 2 * shape.head_row_bytes();
  return static_cast<size_t>(static_cast<double>(bytes) * (1 + kFirstExcess)) * (layers + 1) / layers;
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
