#include "kvzip/store/order_code.h"

#include <bit>
#include <limits>
#include <numeric>

#include "kvzip/base/check.h"
#include "kvzip/base/error.h"
#include "kvzip/base/parallel_each.h"
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

std::vector<std::byte> encode_head(std::span<const uint32_t> positions, std::span<const uint32_t> ranks,
                                   const PositionCode& position_code) {
  BitWriter out;
  StepCode step_code;
  uint32_t before = 0;
  for (size_t row = 0; row < ranks.size(); ++row) {
    position_code.put(out, positions[row]);
    step_code.put(out, ranks[row] - before);
    before = ranks[row];
  }
  return out.take();
}

[[noreturn]] void damaged(const std::string& path, const char* what) {
  throw Error(ErrorCode::input, path + ": damaged: order: " + what);
}

}  // namespace

EncodedOrder encode_order(const RowOrder& order, size_t document_len) {
  EncodedOrder encoded;
  const PositionCode position_code(document_len);
  for (size_t head = 0; head < order.positions.size(); ++head) {
    const std::vector<std::byte> bytes = encode_head(order.positions[head], order.ranks[head], position_code);
    if (bytes.size() > std::numeric_limits<uint32_t>::max())
      throw Error(ErrorCode::unsupported, "context: a head of more rows than a file can order");
    encoded.bytes.insert(encoded.bytes.end(), bytes.begin(), bytes.end());
    encoded.head_bytes.push_back(static_cast<uint32_t>(bytes.size()));
  }
  return encoded;
}

OrderDecoder::OrderDecoder(const OrderSource& source)
    : source_(source), total_rows_(std::accumulate(source.rows.begin(), source.rows.end(), uint64_t{0})) {
  const size_t heads = source.rows.size();
  check(source.head_bytes.size() == heads, "there is a number of bytes for each head");
  order_.positions.resize(heads);
  order_.ranks.resize(heads);
  std::span<const std::byte> rest = source.bytes;
  for (size_t head = 0; head < heads; ++head) {
    const uint32_t bytes = source.head_bytes[head];
    if (bytes > rest.size()) damaged(source.path, "heads longer than all of it");
    if (source.rows[head] > uint64_t{bytes} * 8) damaged(source.path, "fewer bits than rows");
    parts_.push_back(rest.first(bytes));
    rest = rest.subspan(bytes);
  }
  if (!rest.empty()) damaged(source.path, "bytes behind the last head");
}

void OrderDecoder::decode(size_t head) {
  const PositionCode position_code(source_.document_len);
  std::vector<uint32_t>& positions = order_.positions[head];
  std::vector<uint32_t>& ranks = order_.ranks[head];
  positions.resize(source_.rows[head]);
  ranks.resize(source_.rows[head]);
  BitReader in(parts_[head]);
  StepCode step_code;
  std::vector<bool> seen(source_.document_len);
  uint64_t rank = 0;
  for (size_t row = 0; row < positions.size(); ++row) {
    const uint64_t position = position_code.get(in);
    if (position >= source_.document_len) damaged(source_.path, "a position outside the document");
    if (seen[position]) damaged(source_.path, "a position that comes twice");
    seen[position] = true;
    positions[row] = static_cast<uint32_t>(position);
    rank += step_code.get(in);
    if (rank >= total_rows_) damaged(source_.path, "a rank beyond the number of rows");
    ranks[row] = static_cast<uint32_t>(rank);
  }
  if (!in.at_end()) damaged(source_.path, "bits are missing or left over");
}

RowOrder decode_order(const OrderSource& source) {
  OrderDecoder decoder(source);
  parallel_each(source.rows.size(), [&](size_t head) { decoder.decode(head); });
  return decoder.take();
}

}  // namespace kvzip
