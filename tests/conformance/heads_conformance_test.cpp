// What happens to heads between a layer's products and its attention, on every backend against plain loops in double.
#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "tests/conformance/device_data.h"

namespace kvzip::conformance {
namespace {

struct Shape {
  size_t tokens;
  size_t heads;     ///< of queries; 0 = there are none
  size_t kv_heads;  ///< 0 = there are no keys
  size_t head_dim;
  size_t pairs;  ///< that are rotated
  bool normed;
  bool row_per_set;
  DType dtype;
};

class HeadsConformance : public BackendTest {
 protected:
  static constexpr float kEpsilon = 1e-3F;
  static constexpr size_t kBefore = 3;  ///< rows that sets hold already

  /// Values of a head after norm and rotation; `scale` gets the size of the terms of each sum.
  static std::vector<double> turned(const float* head, const Shape& shape, const float* norm, const float* angles,
                                    RopePairing pairing, std::vector<double>& scale) {
    std::vector<double> x(head, head + shape.head_dim);
    if (shape.normed) {
      double squares = 0;
      for (const double value : x) squares += value * value;
      const double factor = 1 / std::sqrt(squares / static_cast<double>(shape.head_dim) + kEpsilon);
      for (size_t i = 0; i < x.size(); ++i) x[i] *= factor * norm[i];
    }
    scale.assign(x.size(), 0);
    for (size_t i = 0; i < x.size(); ++i) scale[i] = std::fabs(x[i]);
    for (size_t pair = 0; pair < shape.pairs; ++pair) {
      const size_t first = pairing == RopePairing::halves ? pair : 2 * pair;
      const size_t second = pairing == RopePairing::halves ? pair + shape.pairs : 2 * pair + 1;
      const double c = angles[pair], s = angles[shape.pairs + pair], a = x[first], b = x[second];
      x[first] = a * c - b * s;
      x[second] = b * c + a * s;
      scale[first] = std::fabs(a * c) + std::fabs(b * s);
      scale[second] = std::fabs(b * c) + std::fabs(a * s);
    }
    return x;
  }

  /// Up to three roundings: after the norm, after the rotation, in the cache.
  void expect_head(const float* found, const std::vector<double>& expected, const std::vector<double>& scale,
                   const Shape& shape, const char* what) {
    const double cache = shape.dtype == DType::f32 ? 0 : shape.dtype == DType::f16 ? 1.0 / 2048 : 1.0 / 256;
    const double relative = 2 * rounding(activations()) + cache;
    for (size_t i = 0; i < expected.size(); ++i) {
      ASSERT_NEAR(found[i], expected[i], relative * std::max(scale[i], std::fabs(expected[i])) + 1e-7)
          << what << " value " << i;
    }
  }

  void expect_prepared(const Shape& shape, RopePairing pairing) {
    SCOPED_TRACE("tokens " + std::to_string(shape.tokens) + ", heads " + std::to_string(shape.heads) + "/" +
                 std::to_string(shape.kv_heads) + " of " + std::to_string(shape.head_dim) + ", pairs " +
                 std::to_string(shape.pairs) + (shape.normed ? ", normed" : ""));
    // Heads that are normed lie without gaps, as those of the engine do.
    const size_t gap = shape.normed ? 0 : 8;
    const size_t q_rows = shape.heads > 0 ? shape.tokens : 0, k_rows = shape.kv_heads > 0 ? shape.tokens : 0;
    const size_t width = std::max<size_t>(shape.kv_heads, 1) * shape.head_dim;
    DeviceMatrix q(*backend_, activations(), q_rows, std::max<size_t>(shape.heads, 1) * shape.head_dim, gap, random_);
    const DeviceMatrix k(*backend_, activations(), k_rows, width, gap, random_);
    const DeviceMatrix v(*backend_, activations(), k_rows, width, 8, random_);
    const DeviceMatrix angles(*backend_, DType::f32, shape.tokens, 2 * shape.pairs, 3, random_);
    const TestMatrix norms(2, shape.head_dim, 0, random_);
    const DeviceBytes norms_on_device(*backend_, norms.values);
    const auto* const norm = static_cast<const float*>(norms_on_device.data());
    const TestMatrix q_before = q.host;

    const size_t sets = k_rows == 0 ? 0 : shape.kv_heads * (shape.row_per_set ? shape.tokens : 1);
    const size_t len = kBefore + (shape.row_per_set ? 1 : shape.tokens);
    const size_t bytes = row_bytes(shape.dtype, shape.head_dim);
    const std::vector<std::byte> empty((len + 1) * bytes, std::byte{0x5A});
    std::vector<DeviceBytes> memory;
    for (size_t i = 0; i < 2 * sets; ++i) memory.emplace_back(*backend_, empty);
    std::vector<KvRows> rows;
    for (size_t i = 0; i < sets; ++i) rows.push_back({memory[2 * i].data(), memory[2 * i + 1].data(), len});

    HeadRows heads{.q = q.view(), .k = k.view(), .v = v.view(), .head_dim = shape.head_dim, .pairing = pairing};
    if (shape.normed) {
      heads.q_norm = norm;
      heads.k_norm = norm + shape.head_dim;
      heads.eps = kEpsilon;
    }
    if (shape.pairs > 0) heads.cos_sin = angles.view();
    heads.heads = rows;
    heads.dtype = shape.dtype;
    backend_->prepare_heads(heads);

    q.read();
    std::vector<double> scale;
    for (size_t token = 0; token < shape.tokens; ++token) {
      const float* const turn = &angles.host.values[token * angles.host.stride];
      for (size_t head = 0; head < shape.heads; ++head) {
        const size_t at = token * q.host.stride + head * shape.head_dim;
        const auto expected = turned(&q_before.values[at], shape, norms.values.data(), turn, pairing, scale);
        expect_head(&q.host.values[at], expected, scale, shape, "query");
      }
    }
    for (size_t set = 0; set < sets; ++set) {
      for (const bool is_key : {true, false}) {
        const auto stored = memory[2 * set + (is_key ? 0 : 1)].download<std::byte>();
        for (size_t row = 0; row <= len; ++row) {
          if (row < kBefore || row == len) {
            ASSERT_TRUE(std::equal(empty.begin(), empty.begin() + static_cast<std::ptrdiff_t>(bytes),
                                   stored.begin() + static_cast<std::ptrdiff_t>(row * bytes)))
                << "row " << row << " is none of the batch's";
            continue;
          }
          const size_t token = shape.row_per_set ? set / shape.kv_heads : row - kBefore;
          const size_t head = set % shape.kv_heads;
          const TestMatrix& from = is_key ? k.host : v.host;
          const float* const before = &from.values[token * from.stride + head * shape.head_dim];
          std::vector<float> found(shape.head_dim);
          convert_to_f32(shape.dtype, &stored[row * bytes], found.data(), found.size());
          if (is_key) {
            const float* const turn = &angles.host.values[token * angles.host.stride];
            const auto expected = turned(before, shape, &norms.values[shape.head_dim], turn, pairing, scale);
            expect_head(found.data(), expected, scale, shape, "key");
          } else {
            for (size_t i = 0; i < found.size(); ++i) ASSERT_EQ(found[i], rounded(before[i], shape.dtype)) << "value";
          }
        }
      }
    }
  }
};

TEST_P(HeadsConformance, NormedRotatedAndStored) {
  for (const RopePairing pairing : {RopePairing::adjacent, RopePairing::halves}) {
    for (const bool normed : {false, true}) {
      expect_prepared({1, 32, 8, 128, 64, normed, false, DType::bf16}, pairing);
      expect_prepared({1, 9, 3, 64, 32, normed, false, DType::f16}, pairing);
      expect_prepared({5, 4, 1, 256, 128, normed, false, DType::f32}, pairing);
      expect_prepared({3, 7, 2, 80, 10, normed, false, DType::f16}, pairing);
      expect_prepared({2, 3, 3, 6, 2, normed, false, DType::bf16}, pairing);
      expect_prepared({7, 6, 2, 96, 48, normed, true, DType::bf16}, pairing);    // seven conversations
      expect_prepared({60, 4, 4, 64, 32, normed, true, DType::f16}, pairing);    // more than travel with one launch
      expect_prepared({150, 4, 2, 64, 32, normed, false, DType::f16}, pairing);  // more than "few"
    }
  }
}

TEST_P(HeadsConformance, WhatIsNotThereIsLeftOut) {
  expect_prepared({4, 6, 0, 64, 32, false, false, DType::f16}, RopePairing::halves);
  expect_prepared({4, 0, 3, 64, 32, true, false, DType::f16}, RopePairing::halves);
  expect_prepared({3, 4, 2, 64, 0, false, false, DType::f16}, RopePairing::halves);  // learned positions
}

INSTANTIATE_TEST_SUITE_P(Backends, HeadsConformance, testing::ValuesIn(all_cases()), case_name);

}  // namespace
}  // namespace kvzip::conformance
