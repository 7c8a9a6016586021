#include "kvzip/store/score_ranks.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "kvzip/base/check.h"

namespace kvzip {
namespace {

/// Values of the ranks that occur, from which all rows with one rank get the same.
class RankValues {
 public:
  RankValues(const RankedScores& ranked, size_t rows, const std::string& path) : path_(&path), values_(rows) {
    std::vector<uint8_t> present(rows);
    for (const auto& head : ranked.order.ranks) {
      for (const uint32_t rank : head) present[rank] = 1;
    }
    for (uint32_t rank = 0; rank < rows; ++rank) {
      if (present[rank] != 0) found_.push_back(rank);
    }
    fill(ranked.samples, rows);
  }

  float operator[](uint32_t rank) const { return values_[rank]; }

 private:
  /// Where in found_ the row stands that is `index`-th in the ranking.
  size_t place_of(size_t index) const {
    const auto above = std::upper_bound(found_.begin(), found_.end(), index);
    if (above == found_.begin()) damaged();
    return static_cast<size_t>(above - found_.begin()) - 1;
  }

  void fill(std::span<const float> samples, size_t rows) {
    if (rows == 0) return;
    size_t place = place_of(0);
    uint32_t bits = bits_of(samples[0]);
    values_[found_[place]] = samples[0];
    for (size_t i = 1; i < samples.size(); ++i) {
      const size_t next = place_of(std::min(i * kScoreStep, rows - 1));
      const uint32_t next_bits = bits_of(samples[i]);
      if (next == place ? next_bits != bits : next_bits > bits || bits - next_bits < next - place) damaged();
      step_down(bits, next_bits, std::span(found_).subspan(place + 1, next - place));
      place = next;
      bits = next_bits;
    }
  }

  /// Bits of positive floats are ordered as they are: equal steps down from one sample to the next, rounded down to
  /// whole ones, at least one each.
  void step_down(uint32_t from, uint32_t to, std::span<const uint32_t> ranks) {
    if (ranks.empty()) return;
    const size_t whole = (from - to) / ranks.size();
    const size_t part = (from - to) % ranks.size();
    size_t parts =
        0;  // of ranks.size(), that were rounded off: a division for each row would take longer than the rest
    uint32_t bits = from;
    for (const uint32_t rank : ranks) {
      parts += part;
      bits -= static_cast<uint32_t>(whole + (parts >= ranks.size() ? 1 : 0));
      if (parts >= ranks.size()) parts -= ranks.size();
      values_[rank] = std::bit_cast<float>(bits);
    }
  }

  uint32_t bits_of(float sample) const {
    if (!std::isfinite(sample) || std::signbit(sample)) damaged();
    return std::bit_cast<uint32_t>(sample);
  }

  [[noreturn]] void damaged() const {
    throw Error(ErrorCode::input, *path_ + ": damaged: the scores contradict the ranks of the rows");
  }

  const std::string* path_;
  std::vector<uint32_t> found_;  // ranks that occur, ascending
  std::vector<float> values_;    // by rank
};

}  // namespace

RankedScores rank_scores(const Context& context) {
  const Keep& held = context.held();
  const size_t total = held.pairs();
  if (total >= std::numeric_limits<uint32_t>::max())
    throw Error(ErrorCode::unsupported, "context: more rows than a file can rank");
  RankedScores ranked;
  std::vector<uint64_t> sorted;  // bits of the score, turned around so that high ones come first, and the row's number
  sorted.reserve(total);
  for (size_t head = 0; head < held.rows.size(); ++head) {
    const auto row = context.scores().row(head / held.kv_heads, head % held.kv_heads);
    const auto positions = context.order(head / held.kv_heads, head % held.kv_heads);
    ranked.order.positions.emplace_back(positions.begin(), positions.end());
    for (const uint32_t position : positions) {
      check(row[position] >= 0, "scores aren't negative");
      const float score = row[position] + 0.0F;  // never -0
      sorted.push_back(uint64_t{~std::bit_cast<uint32_t>(score)} << 32U | sorted.size());
    }
  }
  std::sort(sorted.begin(), sorted.end());
  std::vector<uint32_t> ranks(total);
  uint32_t rank = 0;
  for (size_t i = 0; i < total; ++i) {
    if (i == 0 || sorted[i] >> 32U != sorted[i - 1] >> 32U) rank = static_cast<uint32_t>(i);
    ranks[sorted[i] & 0xFFFFFFFFU] = rank;
  }
  auto next = ranks.begin();
  for (const uint32_t count : held.rows) {
    ranked.order.ranks.emplace_back(next, next + count);
    next += count;
  }
  for (size_t i = 0; i < score_samples(total); ++i) {
    const uint64_t entry = sorted[std::min(i * kScoreStep, total - 1)];
    ranked.samples.push_back(std::bit_cast<float>(~static_cast<uint32_t>(entry >> 32U)));
  }
  return ranked;
}

Scores restore_scores(const RankedScores& ranked, const Keep& held, const std::string& path) {
  const RankValues values(ranked, held.pairs(), path);
  Scores scores(held.layers, held.kv_heads, held.len);
  for (size_t head = 0; head < held.rows.size(); ++head) {
    const auto row = scores.row(head / held.kv_heads, head % held.kv_heads);
    for (size_t i = 0; i < ranked.order.ranks[head].size(); ++i)
      row[ranked.order.positions[head][i]] = values[ranked.order.ranks[head][i]];
  }
  return scores;
}

}  // namespace kvzip
