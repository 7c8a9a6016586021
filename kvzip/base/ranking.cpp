#include "kvzip/base/ranking.h"

#include <algorithm>
#include <array>
#include <bit>
#include <functional>
#include <mutex>

#include "kvzip/base/check.h"
#include "kvzip/base/parallel.h"

namespace kvzip {
namespace {

/// Numbers that ascend where values descend.
uint32_t descending_key(float value) {
  const auto bits = std::bit_cast<uint32_t>(value + 0.0F);  // one zero of the two
  return bits >> 31U != 0 ? bits : ~(bits | 0x80000000U);
}

float value_of(uint32_t key) { return std::bit_cast<float>(key >> 31U != 0 ? key : ~key & 0x7FFFFFFFU); }

constexpr size_t kHalf = size_t{1} << 16U;
using Histogram = std::vector<size_t>;  // [kHalf]

/// How often each number that `digit` gives occurs; it gives kHalf for what doesn't count.
template <class Digit>
Histogram count_digits(std::span<const float> values, const Digit& digit) {
  constexpr size_t kGrain = size_t{1} << 16U;
  Histogram total(kHalf);
  std::mutex mutex;
  parallel_ranges(values.size(), kGrain, [&](size_t begin, size_t end) {
    Histogram own(kHalf + 1);
    for (size_t i = begin; i < end; ++i) ++own[digit(descending_key(values[i]))];
    const std::lock_guard lock(mutex);
    for (size_t i = 0; i < kHalf; ++i) total[i] += own[i];
  });
  return total;
}

/// The digit of the n-th number; n becomes its place among those with this digit.
uint32_t digit_at(const Histogram& counts, size_t& n) {
  uint32_t digit = 0;
  while (n >= counts[digit]) n -= counts[digit++];
  return digit;
}

struct Entry {
  uint32_t key;
  uint32_t place;
};

constexpr unsigned kDigitBits = 11;
constexpr unsigned kPasses = 3;

/// One pass of a radix sort: stable by one digit of the keys.
void sort_by_digit(const std::vector<Entry>& from, std::vector<Entry>& to, unsigned shift,
                   const std::array<uint32_t, 1U << kDigitBits>& counts) {
  std::array<uint32_t, 1U << kDigitBits> next{};
  uint32_t before = 0;
  for (size_t digit = 0; digit < counts.size(); ++digit) {
    next[digit] = before;
    before += counts[digit];
  }
  for (const Entry& entry : from) to[next[entry.key >> shift & (counts.size() - 1)]++] = entry;
}

}  // namespace

float nth_largest(std::span<const float> values, size_t n) {
  check(n < values.size(), "nth_largest: there is an n-th value");
  const uint32_t high = digit_at(count_digits(values, [](uint32_t key) { return size_t{key >> 16U}; }), n);
  const uint32_t low =
      digit_at(count_digits(values, [=](uint32_t key) { return key >> 16U == high ? key & 0xFFFFU : kHalf; }), n);
  return value_of(high << 16U | low);
}

std::vector<uint32_t> largest_first(std::span<const float> values, size_t count) {
  check(count <= values.size(), "largest_first: there are so many values");
  std::vector<Entry> entries(values.size());
  std::array<std::array<uint32_t, 1U << kDigitBits>, kPasses> counts{};
  for (size_t i = 0; i < values.size(); ++i) {
    entries[i] = {descending_key(values[i]), static_cast<uint32_t>(i)};
    for (unsigned pass = 0; pass < kPasses; ++pass) {
      ++counts[pass][entries[i].key >> pass * kDigitBits & ((1U << kDigitBits) - 1)];
    }
  }
  std::vector<Entry> sorted(values.size());
  for (unsigned pass = 0; pass < kPasses; ++pass) {
    sort_by_digit(entries, sorted, pass * kDigitBits, counts[pass]);
    entries.swap(sorted);
  }
  std::vector<uint32_t> places(count);
  std::transform(entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(count), places.begin(),
                 [](const Entry& entry) { return entry.place; });
  return places;
}

std::vector<uint32_t> largest_in_order(std::span<const float> values, size_t count) {
  check(count <= values.size(), "largest_in_order: there are so many values");
  std::vector<uint32_t> places;
  if (count == 0) return places;
  places.reserve(count);
  std::vector<float> parted(values.begin(), values.end());
  const auto last = parted.begin() + static_cast<std::ptrdiff_t>(count - 1);
  std::ranges::nth_element(parted, last, std::greater());
  const float least = *last;
  // Of those equal to the last one, as many as there is room for.
  size_t equal = static_cast<size_t>(std::count(parted.begin(), last + 1, least));
  for (size_t i = 0; i < values.size(); ++i) {
    const bool chosen = values[i] > least || (values[i] == least && equal > 0);
    if (!chosen) continue;
    if (values[i] == least) --equal;
    places.push_back(static_cast<uint32_t>(i));
  }
  return places;
}

}  // namespace kvzip
