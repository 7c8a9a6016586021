#include "kvzip/store/order_code.h"

#include <bit>
#include <numeric>
#include <utility>

#include "kvzip/base/error.h"
#include "kvzip/store/bits.h"

namespace kvzip {
namespace {

constexpr unsigned kMostOnes = 24;  // after so many, the step follows as it is
constexpr unsigned kPlainBits = 32;
constexpr unsigned kMemory = 5;  // a step counts for 1/32 of the average

/// Positions below a bound in as few whole bits as they take: the first ones in one bit less than the others.
class PositionCode {
 public:
  explicit PositionCode(size_t document_len)
      : bits_(document_len <= 1 ? 0 : static_cast<unsigned>(std::bit_width(document_len - 1))),
        short_ones_((uint64_t{1} << bits_) - document_len) {}

  void put(BitWriter& out, uint32_t position) const {
    if (position < short_ones_ || bits_ == 0) {
      out.put(position, bits_ == 0 ? 0 : bits_ - 1);
    } else {
      const uint64_t code = position + short_ones_;
      out.put(code >> 1U, bits_ - 1);  // the upper bits come first: they tell whether there is another
      out.put(code, 1);
    }
  }
  uint64_t get(BitReader& in) const {
    if (bits_ == 0) return 0;
    const uint64_t upper = in.get(bits_ - 1);
    return upper < short_ones_ ? upper : (upper << 1U | in.get(1)) - short_ones_;
  }

 private:
  unsigned bits_;
  uint64_t short_ones_;  // how many positions take a bit less
};

/// Steps of ranks in Rice's code, whose parameter follows their average.
class StepCode {
 public:
  void put(BitWriter& out, uint32_t step) {
    const unsigned low = parameter();
    const uint32_t ones = step >> low;
    if (ones >= kMostOnes) {
      out.put((uint64_t{1} << kMostOnes) - 1, kMostOnes);
      out.put(step, kPlainBits);
    } else {
      out.put((uint64_t{1} << ones) - 1, ones + 1);
      out.put(step, low);
    }
    learn(step);
  }
  uint32_t get(BitReader& in) {
    const unsigned low = parameter();
    const unsigned ones = in.ones(kMostOnes);
    const uint32_t step = ones == kMostOnes ? in.get(kPlainBits) : ones << low | in.get(low);
    learn(step);
    return step;
  }

 private:
  /// About the logarithm of 0.7 times the average.
  unsigned parameter() const {
    const uint64_t size = (sum_ >> kMemory) * 7 / 10;
    return size < 1 ? 0 : static_cast<unsigned>(std::bit_width(size)) - 1;
  }
  void learn(uint32_t step) { sum_ = sum_ + step - (sum_ >> kMemory); }

  uint64_t sum_ = uint64_t{64} << kMemory;  // the average times 32
};

}  // namespace

std::vector<std::byte> encode_order(const RowOrder& order, size_t document_len) {
  BitWriter out;
  const PositionCode position_code(document_len);
  for (size_t head = 0; head < order.positions.size(); ++head) {
    const auto& ranks = order.ranks[head];
    StepCode step_code;
    uint32_t before = 0;
    for (size_t row = 0; row < ranks.size(); ++row) {
      position_code.put(out, order.positions[head][row]);
      step_code.put(out, ranks[row] - before);
      before = ranks[row];
    }
  }
  return out.take();
}

RowOrder decode_order(std::span<const std::byte> bytes, std::span<const uint32_t> rows, size_t document_len,
                      const std::string& path) {
  const auto damaged = [&](const char* what) { throw Error(ErrorCode::input, path + ": damaged: order: " + what); };
  const uint64_t total = std::accumulate(rows.begin(), rows.end(), uint64_t{0});
  const PositionCode position_code(document_len);
  if (total > bytes.size() * 8) damaged("fewer bits than rows");
  RowOrder order;
  BitReader in(bytes);
  std::vector<uint32_t> seen_by(document_len);  // the last head that had the position, counted from 1
  for (const uint32_t count : rows) {
    auto& positions = order.positions.emplace_back(count);
    auto& ranks = order.ranks.emplace_back(count);
    const auto head = static_cast<uint32_t>(order.ranks.size());
    StepCode step_code;
    uint64_t rank = 0;
    for (uint32_t row = 0; row < count; ++row) {
      const uint64_t position = position_code.get(in);
      if (position >= document_len) damaged("a position outside the document");
      positions[row] = static_cast<uint32_t>(position);
      if (std::exchange(seen_by[positions[row]], head) == head) damaged("a position that comes twice");
      rank += step_code.get(in);
      if (rank >= total) damaged("a rank beyond the number of rows");
      ranks[row] = static_cast<uint32_t>(rank);
    }
  }
  if (!in.at_end()) damaged("bits are missing or left over");
  return order;
}

}  // namespace kvzip
