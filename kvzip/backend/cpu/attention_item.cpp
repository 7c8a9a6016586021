// The walk of one item over its keys, its scores and its output.
#include "kvzip/backend/cpu/attention_item.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kvzip/backend/cpu/score.h"

namespace kvzip::attention {
namespace {

constexpr size_t kAlign = 64;

size_t padded_rows(const ProductKernels& kernels, size_t rows) {
  return kernels.pack_keys == nullptr ? rows : round_up(rows, kTileRows);
}

size_t block_bytes(const ProductKernels& kernels, size_t head_dim) {
  return kernels.pack_keys == nullptr ? 0 : kBlockKeys * padded_dim(head_dim) * element_bytes(kernels);
}

size_t kept_rows(const AttendArgs& args, size_t rows) {
  return args.score == nullptr ? 0 : (args.score->chunk_len + kBlockKeys - 1) / kBlockKeys * rows;
}

size_t kept_maxima_bytes(const AttendArgs& args, size_t rows) {
  return round_up(kept_rows(args, rows), 16) * sizeof(float);
}

/// Rows of one head are far apart in q and out: the processor does not foresee the next.
constexpr size_t kRowsAhead = 8;

void prefetch_row(const float* row, size_t head_dim) {
  for (size_t d = 0; d < head_dim; d += 16) __builtin_prefetch(row + d);
}

const float* query_row(const AttendArgs& args, const Item& item, size_t row) {
  const size_t group = group_size(args);
  const auto* line = static_cast<const std::byte*>(args.q.data) + (item.first_token + row / group) * args.q.stride;
  return reinterpret_cast<const float*>(line) + (item.head * group + row % group) * args.head_dim;
}

/// Where the output of a row of the item goes.
float* output_row(const AttendArgs& args, const Item& item, size_t row) {
  const size_t group = group_size(args);
  auto* line = static_cast<std::byte*>(args.out.data) + (item.first_token + row / group) * args.out.stride;
  return reinterpret_cast<float*>(line) + (item.head * group + row % group) * args.head_dim;
}

}  // namespace

size_t Sums::bytes(size_t rows, size_t head_dim) {
  return (rows * padded_dim(head_dim) + 2 * round_up(rows, kAlign)) * sizeof(float);
}

Sums::Sums(std::byte* memory, size_t rows)
    : maximum(reinterpret_cast<float*>(memory)),
      sum(maximum + round_up(rows, kAlign)),
      out(sum + round_up(rows, kAlign)) {}

SharedScores::SharedScores(const AttendArgs& args)
    : request_(args.score), best_(args.score == nullptr ? 0 : args.kv_heads * args.score->chunk_len, 0.0F) {}

void SharedScores::raise(size_t head, size_t first, std::span<const float> scores) {
  float* best = best_.data() + head * request_->chunk_len + first;
  const std::lock_guard lock(mutex_);
  for (size_t c = 0; c < scores.size(); ++c) best[c] = std::max(best[c], scores[c]);
}

void SharedScores::finish() {
  if (request_ == nullptr) return;
  const View& to = request_->log_score;
  for (size_t head = 0; head < to.rows; ++head) {
    auto* row = reinterpret_cast<float*>(static_cast<std::byte*>(to.data) + head * to.stride);
    const float* best = best_.data() + head * to.cols;
    for (size_t c = 0; c < to.cols; ++c) row[c] = std::max(row[c], std::log(best[c]));
  }
}

size_t ItemWorker::scratch_bytes(const AttendArgs& args, const ProductKernels& kernels, size_t max_rows) {
  const size_t rows = padded_rows(kernels, max_rows);
  const size_t row_bytes = kBlockKeys * element_bytes(kernels);
  return rows * padded_dim(args.head_dim) * element_bytes(kernels) + 2 * block_bytes(kernels, args.head_dim) +
         kTileRows * row_bytes + kept_rows(args, rows) * row_bytes + kept_maxima_bytes(args, rows) +
         Sums::bytes(rows, args.head_dim);
}

ItemWorker::ItemWorker(const AttendArgs& args, const ProductKernels& kernels, size_t max_rows, SharedScores& scores,
                       std::byte* scratch)
    : args_(args),
      kernels_(kernels),
      scores_(scores),
      group_(group_size(args)),
      rows_(padded_rows(kernels, max_rows)),
      queries_(scratch),
      keys_(queries_ + rows_ * padded_dim(args.head_dim) * element_bytes(kernels)),
      values_(keys_ + block_bytes(kernels, args.head_dim)),
      probabilities_(values_ + block_bytes(kernels, args.head_dim)),
      kept_(probabilities_ + kTileRows * kBlockKeys * element_bytes(kernels)),
      kept_maxima_(reinterpret_cast<float*>(kept_ + kept_rows(args, rows_) * kBlockKeys * element_bytes(kernels))),
      sums_(reinterpret_cast<std::byte*>(kept_maxima_) + kept_maxima_bytes(args, rows_), rows_) {}

void ItemWorker::load_queries(const Item& item) {
  const size_t dim = padded_dim(args_.head_dim);
  const size_t used = item.tokens * group_;
  rows_ = padded_rows(kernels_, used);
  // Panels always take full tiles; rows of the cache take tiles as equal as possible.
  tile_rows_ = kTileRows;
  if (kernels_.pack_keys == nullptr) {
    const size_t tiles = (used + kTileRows - 1) / kTileRows;
    tile_rows_ = (used + tiles - 1) / tiles;
  }
  const float factor = args_.scale * std::numbers::log2e_v<float>;
  for (size_t row = 0; row < used; ++row) {
    prefetch_row(query_row(args_, item, std::min(row + kRowsAhead, used - 1)), args_.head_dim);
    const float* query = query_row(args_, item, row);
    kernels_.pack_queries(query, args_.head_dim, factor, queries_ + row * dim * element_bytes(kernels_));
  }
  std::fill(queries_ + used * dim * element_bytes(kernels_), queries_ + rows_ * dim * element_bytes(kernels_),
            std::byte{0});
  std::fill(sums_.maximum, sums_.maximum + rows_, kNoMaximum);
  std::fill(sums_.sum, sums_.sum + rows_, 0.0F);
  std::fill(sums_.out, sums_.out + rows_ * dim, 0.0F);
}

void ItemWorker::run(const Item& item, const Piece& piece) {
  load_queries(item);
  size_t at = 0;  // of the range's first key in the item's keys
  for (size_t i = 0; i < item.ranges.size(); ++i) {
    KeyRange range = item.ranges[i];
    const size_t size = range.size();
    range.end = range.begin + std::min(size, piece.end > at ? piece.end - at : 0);
    range.begin += std::min(range.size(), piece.begin > at ? piece.begin - at : 0);
    walk(item, range);
    at += size;
    if (i + 1 == item.score_ranges) finish_scores(item);
  }
}

void ItemWorker::walk(const Item& item, const KeyRange& range) {
  for (size_t begin = range.begin; begin < range.end; begin += kernels_.block_keys) {
    attend_block(item, range, begin, std::min(begin + kernels_.block_keys, range.end));
  }
}

void ItemWorker::attend_block(const Item& item, const KeyRange& range, size_t begin, size_t end) {
  const Segment& segment = args_.segments[range.segment];
  const KvRows& rows = segment.heads[item.head];
  const size_t bytes = padded_row_bytes(segment.dtype, args_.head_dim);
  RowBlock keys{static_cast<const std::byte*>(rows.k) + begin * bytes, segment.dtype, end - begin, args_.head_dim};
  RowBlock values{static_cast<const std::byte*>(rows.v) + begin * bytes, segment.dtype, end - begin, args_.head_dim};
  if (kernels_.pack_keys != nullptr) {
    kernels_.pack_keys(keys, keys_);
    kernels_.pack_values(values, values_);
    keys.data = keys_;
    values.data = values_;
  }
  const size_t first = args_.first_position + item.first_token;
  const RowRange of_first = visible_rows(segment, rows.len, first, args_.window);
  const RowRange of_last = visible_rows(segment, rows.len, first + item.tokens - 1, args_.window);
  const bool all_visible = of_last.begin <= begin && of_first.end >= end;

  const size_t dim = padded_dim(args_.head_dim);
  const size_t kept_row = (begin - range.begin) / kBlockKeys * rows_;
  for (size_t row = 0; row < rows_; row += tile_rows_) {
    Tile tile{};
    tile.queries = queries_ + row * dim * element_bytes(kernels_);
    tile.rows = std::min(tile_rows_, rows_ - row);
    tile.keys = keys;
    tile.values = values.data;
    tile.end = end - begin;
    tile.probabilities =
        range.scored ? kept_ + (kept_row + row) * kBlockKeys * element_bytes(kernels_) : probabilities_;
    tile.maximum = sums_.maximum + row;
    tile.sum = sums_.sum + row;
    tile.out = sums_.out + row * dim;
    if (all_visible || limit_tile(item, range, begin, row, tile)) kernels_.attend(tile);
  }
  if (range.scored) std::copy(sums_.maximum, sums_.maximum + rows_, kept_maxima_ + kept_row);
}

/// Sets what each row of the tile sees of the block at `begin`; false if no row sees any of it.
bool ItemWorker::limit_tile(const Item& item, const KeyRange& range, size_t begin, size_t first_row, Tile& tile) {
  const Segment& segment = args_.segments[range.segment];
  const size_t len = segment.heads[item.head].len;
  size_t least = tile.end;
  size_t most = 0;
  for (size_t r = 0; r < tile.rows; ++r) {
    const size_t token = std::min((first_row + r) / group_, item.tokens - 1);
    const RowRange rows = visible_rows(segment, len, args_.first_position + item.first_token + token, args_.window);
    visible_[r] = {std::clamp(rows.begin, begin, begin + tile.end) - begin,
                   std::clamp(rows.end, begin, begin + tile.end) - begin};
    least = std::min(least, visible_[r].begin);
    most = std::max(most, visible_[r].end);
  }
  tile.visible = visible_;
  if (range.scored) return true;  // every kept probability must be set
  tile.begin = least / kPanelKeys * kPanelKeys;
  tile.end = most;
  return tile.begin < tile.end;
}

void ItemWorker::finish_scores(const Item& item) {
  const auto scored = std::find_if(item.ranges.begin(), item.ranges.end(), [](const KeyRange& r) { return r.scored; });
  if (scored == item.ranges.end()) return;
  const size_t rows = item.tokens * group_;
  for (size_t first = 0; first < scored->size(); first += kBlockKeys) {
    const size_t kept_row = first / kBlockKeys * rows_;
    // From "relative to the maximum at that block" to "of the sum over the scoring keys", which is what sums_ holds
    // now.
    float* factors = kept_maxima_ + kept_row;
    for (size_t row = 0; row < rows; ++row) {
      factors[row] = sums_.sum[row] > 0 ? std::exp2(factors[row] - sums_.maximum[row]) / sums_.sum[row] : 0.0F;
    }
    float best[kBlockKeys] = {};
    raise_scores(kept_ + kept_row * kBlockKeys * element_bytes(kernels_), kernels_.element, factors, rows, best);
    scores_.raise(item.head, first, {best, std::min(kBlockKeys, scored->size() - first)});
  }
}

void ItemWorker::write_output(const Item& item) const {
  const size_t rows = item.tokens * group_;
  for (size_t row = 0; row < rows; ++row) {
    prefetch_row(output_row(args_, item, std::min(row + kRowsAhead, rows - 1)), args_.head_dim);
    const float factor = sums_.sum[row] > 0 ? 1 / sums_.sum[row] : 0;  // zeros for a row that saw nothing
    const float* sums = sums_.out + row * padded_dim(args_.head_dim);
    float* out = output_row(args_, item, row);
    for (size_t d = 0; d < args_.head_dim; ++d) out[d] = sums[d] * factor;
  }
}

void ItemWorker::copy_sums(const Item& item, const Sums& to) const {
  const size_t rows = item.tokens * group_;
  std::copy(sums_.maximum, sums_.maximum + rows, to.maximum);
  std::copy(sums_.sum, sums_.sum + rows, to.sum);
  std::copy(sums_.out, sums_.out + rows * padded_dim(args_.head_dim), to.out);
}

void merge_pieces(const AttendArgs& args, const Item& item, std::span<const Sums> pieces) {
  const size_t dim = padded_dim(args.head_dim);
  for (size_t row = 0; row < item.tokens * group_size(args); ++row) {
    float maximum = kNoMaximum;
    for (const Sums& piece : pieces) maximum = std::max(maximum, piece.maximum[row]);
    float total = 0;
    for (const Sums& piece : pieces) total += piece.sum[row] * std::exp2(piece.maximum[row] - maximum);
    float* out = output_row(args, item, row);
    std::fill(out, out + args.head_dim, 0.0F);
    if (total == 0) continue;  // it saw nothing
    for (const Sums& piece : pieces) {
      const float weight = std::exp2(piece.maximum[row] - maximum) / total;
      const float* sums = piece.out + row * dim;
      for (size_t d = 0; d < args.head_dim; ++d) out[d] += weight * sums[d];
    }
  }
}

}  // namespace kvzip::attention
