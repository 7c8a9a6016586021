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

// Keys are looked at digit by digit, digit 0 being the lowest; the highest one has what is left of the 32 bits.
constexpr unsigned kDigitBits = 11;
constexpr unsigned kDigits = 3;
constexpr size_t kDigitValues = size_t{1} << kDigitBits;

uint32_t digit_of(uint32_t key, unsigned digit) { return key >> digit * kDigitBits & (kDigitValues - 1); }

/// How often each value of a digit occurs.
template <class Number>
using Counts = std::array<Number, kDigitValues>;

/// Adds up `digit` of the keys whose higher digits are those of `like`. Without branches, which nobody could predict,
/// and in several lanes, so that equal digits in a row don't wait for each other's count.
void count_digits(std::span<const float> values, unsigned digit, uint32_t like, Counts<size_t>& counts) {
  constexpr size_t kLanes = 4;
  constexpr size_t kOther = kDigitValues;
  std::array<std::array<uint32_t, kDigitValues + 1>, kLanes> lanes{};
  const unsigned above = (digit + 1) * kDigitBits;
  const auto slot_of = [=](float value) {
    const uint32_t key = descending_key(value);
    return uint64_t{key} >> above == uint64_t{like} >> above ? digit_of(key, digit) : kOther;
  };
  size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) ++lanes[lane][slot_of(values[i + lane])];
  }
  for (; i < values.size(); ++i) ++lanes[0][slot_of(values[i])];
  for (const auto& lane : lanes)
    std::transform(counts.begin(), counts.end(), lane.begin(), counts.begin(), std::plus());
}

/// The digit of the n-th of the counted keys; n becomes its place among those with this digit.
uint32_t digit_at(const Counts<size_t>& counts, size_t& n) {
  uint32_t digit = 0;
  while (n >= counts[digit]) n -= counts[digit++];
  return digit;
}

struct NthKey {
  uint32_t key;
  size_t before;  ///< keys that are equal and come before it
};

/// Of the keys in ascending order, on the calling thread.
NthKey nth_key(std::span<const float> values, size_t n) {
  constexpr size_t kMany = size_t{1} << 13U;  // from here on it pays to look first where the n-th one is
  std::vector<uint32_t> keys;
  if (values.size() < kMany) {
    keys.resize(values.size());
    std::ranges::transform(values, keys.begin(), descending_key);
  } else {
    constexpr unsigned kHighest = kDigits - 1;
    Counts<size_t> counts{};
    count_digits(values, kHighest, 0, counts);
    const uint32_t digit = digit_at(counts, n);
    keys.resize(counts[digit] + 1);  // one more, as a key is written before it is known whether it stays
    size_t next = 0;
    for (const float value : values) {
      keys[next] = descending_key(value);
      next += static_cast<size_t>(digit_of(keys[next], kHighest) == digit);
    }
    keys.pop_back();
  }
  const auto nth = keys.begin() + static_cast<std::ptrdiff_t>(n);
  std::nth_element(keys.begin(), nth, keys.end());
  return {*nth, static_cast<size_t>(std::count(keys.begin(), nth, *nth))};
}

struct Entry {
  uint32_t key;
  uint32_t place;
};

/// One pass of a radix sort: stable by one digit of the keys.
void sort_by_digit(const std::vector<Entry>& from, std::vector<Entry>& to, unsigned digit,
                   const Counts<uint32_t>& counts) {
  Counts<uint32_t> next{};
  uint32_t before = 0;
  for (size_t value = 0; value < counts.size(); ++value) {
    next[value] = before;
    before += counts[value];
  }
  for (const Entry& entry : from) to[next[digit_of(entry.key, digit)]++] = entry;
}

}  // namespace

float nth_largest(std::span<const float> values, size_t n) {
  constexpr size_t kMany = size_t{1} << 20U;  // so many take one thread longer than waking others takes
  check(n < values.size(), "nth_largest: there is an n-th value");
  return values.size() < kMany ? value_of(nth_key(values, n).key) : nth_largest(std::span(&values, 1), n);
}

float nth_largest(std::span<const std::span<const float>> parts, size_t n) {
  constexpr size_t kGrain = size_t{1} << 16U;  // values worth a thread
  size_t count = 0;
  for (const auto& part : parts) count += part.size();
  check(n < count, "nth_largest: there is an n-th value");
  uint32_t key = 0;
  for (unsigned digit = kDigits; digit-- > 0;) {
    Counts<size_t> counts{};
    std::mutex mutex;
    parallel_ranges(count, kGrain, [&](size_t begin, size_t end) {
      Counts<size_t> own{};
      size_t first = 0;  // of a part among all values
      for (const auto& part : parts) {
        const size_t from = std::max(begin, first), to = std::min(end, first + part.size());
        if (from < to) count_digits(part.subspan(from - first, to - from), digit, key, own);
        first += part.size();
      }
      const std::lock_guard lock(mutex);
      std::ranges::transform(counts, own, counts.begin(), std::plus());
    });
    key |= digit_at(counts, n) << digit * kDigitBits;
  }
  return value_of(key);
}

std::vector<uint32_t> largest_first(std::span<const float> values, size_t count) {
  check(count <= values.size(), "largest_first: there are so many values");
  std::vector<Entry> entries(values.size());
  std::array<Counts<uint32_t>, kDigits> counts{};
  for (size_t i = 0; i < values.size(); ++i) {
    entries[i] = {descending_key(values[i]), static_cast<uint32_t>(i)};
    for (unsigned digit = 0; digit < kDigits; ++digit) ++counts[digit][digit_of(entries[i].key, digit)];
  }
  std::vector<Entry> sorted(values.size());
  for (unsigned digit = 0; digit < kDigits; ++digit) {
    sort_by_digit(entries, sorted, digit, counts[digit]);
    entries.swap(sorted);
  }
  std::vector<uint32_t> places(count);
  std::transform(entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(count), places.begin(),
                 [](const Entry& entry) { return entry.place; });
  return places;
}

std::vector<uint32_t> largest_in_order(std::span<const float> values, size_t count) {
  check(count <= values.size(), "largest_in_order: there are so many values");
  if (count == 0) return {};
  const NthKey last = nth_key(values, count - 1);
  size_t equal = last.before + 1;           // of those equal to the last one, as many as there is room for
  std::vector<uint32_t> places(count + 1);  // one more, as a place is written before it is known whether it stays
  size_t next = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const uint32_t key = descending_key(values[i]);
    const bool tied = key == last.key && equal > 0;
    places[next] = static_cast<uint32_t>(i);
    next += static_cast<size_t>(key < last.key || tied);
    equal -= static_cast<size_t>(tied);
  }
  places.resize(count);
  return places;
}

std::vector<uint32_t> places_above(std::span<const float> values, float threshold, size_t count) {
  std::vector<uint32_t> places(count + 1);  // as above
  size_t next = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    places[std::min(next, count)] = static_cast<uint32_t>(i);
    next += static_cast<size_t>(values[i] > threshold);
  }
  check(next == count, "places_above: there are so many values");
  places.resize(count);
  return places;
}

}  // namespace kvzip
