#include "kvzip/store/order_code.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <utility>

#include "kvzip/base/error.h"
#include "kvzip/store/bits.h"

namespace kvzip {
namespace {

constexpr unsigned kParameterBits = 5;
constexpr unsigned kMostOnes = 24;  // after so many, the step follows as it is
constexpr unsigned kPlainBits = 32;

unsigned position_bits(size_t document_len) {
  return document_len <= 1 ? 0 : static_cast<unsigned>(std::bit_width(document_len - 1));
}

/// Rice's parameter for steps of this size on average: about the logarithm of 0.7 times that.
unsigned rice_parameter(std::span<const uint32_t> ranks) {
  if (ranks.empty()) return 0;
  const uint64_t mean = ranks.back() / ranks.size();
  return std::min(mean < 2 ? 0U : static_cast<unsigned>(std::bit_width(mean * 7 / 10)) - 1, 30U);
}

void put_step(BitWriter& out, uint32_t step, unsigned parameter) {
  const uint32_t ones = step >> parameter;
  if (ones >= kMostOnes) {
    out.put((uint64_t{1} << kMostOnes) - 1, kMostOnes);
    out.put(step, kPlainBits);
    return;
  }
  out.put((uint64_t{1} << ones) - 1, ones + 1);
  out.put(step, parameter);
}

uint32_t get_step(BitReader& in, unsigned parameter) {
  const unsigned ones = in.ones(kMostOnes);
  return ones == kMostOnes ? in.get(kPlainBits) : ones << parameter | in.get(parameter);
}

}  // namespace

std::vector<std::byte> encode_order(const RowOrder& order, size_t document_len) {
  BitWriter out;
  const unsigned bits = position_bits(document_len);
  for (size_t head = 0; head < order.positions.size(); ++head) {
    const auto& ranks = order.ranks[head];
    const unsigned parameter = rice_parameter(ranks);
    out.put(parameter, kParameterBits);
    uint32_t before = 0;
    for (size_t row = 0; row < ranks.size(); ++row) {
      out.put(order.positions[head][row], bits);
      put_step(out, ranks[row] - before, parameter);
      before = ranks[row];
    }
  }
  return out.take();
}

RowOrder decode_order(std::span<const std::byte> bytes, std::span<const uint32_t> rows, size_t document_len,
                      const std::string& path) {
  const auto damaged = [&](const char* what) { throw Error(ErrorCode::input, path + ": damaged: order: " + what); };
  const uint64_t total = std::accumulate(rows.begin(), rows.end(), uint64_t{0});
  const unsigned bits = position_bits(document_len);
  if (total > bytes.size() * 8) damaged("fewer bits than rows");
  RowOrder order;
  BitReader in(bytes);
  std::vector<size_t> seen_by(document_len);  // the last head that had the position, counted from 1
  for (const uint32_t count : rows) {
    auto& positions = order.positions.emplace_back(count);
    auto& ranks = order.ranks.emplace_back(count);
    const unsigned parameter = in.get(kParameterBits);
    uint64_t rank = 0;
    for (uint32_t row = 0; row < count; ++row) {
      positions[row] = in.get(bits);
      if (positions[row] >= document_len) damaged("a position outside the document");
      if (std::exchange(seen_by[positions[row]], order.ranks.size()) == order.ranks.size())
        damaged("a position that comes twice");
      rank += get_step(in, parameter);
      if (rank >= total) damaged("a rank beyond the number of rows");
      ranks[row] = static_cast<uint32_t>(rank);
    }
  }
  if (!in.at_end()) damaged("bits are missing or left over");
  return order;
}

}  // namespace kvzip
