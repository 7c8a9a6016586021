// Norms, activations, sums and RoPE on every backend against plain loops in double.
#include <algorithm>
#include <functional>
#include <limits>
#include <vector>

#include "tests/conformance/device_data.h"

namespace kvzip::conformance {
namespace {

class ElementwiseConformance : public BackendTest {
 protected:
  /// A shape whose columns 8 divides, or not.
  size_t cols(size_t rows) { return rows % 2 == 0 ? 8 * random_.between(1, 90) : random_.between(1, 700); }
  DeviceMatrix matrix(size_t rows, size_t width) { return matrix(activations(), rows, width); }
  DeviceMatrix matrix(DType dtype, size_t rows, size_t width) {
    return {*backend_, dtype, rows, width, rows % 2 == 0 ? size_t{8} : random_.between(0, 3), random_};
  }
  void expect_close(float found, double expected, double scale, DType dtype) {
    ASSERT_NEAR(found, expected, rounding(dtype) * std::max(std::fabs(expected), scale));
  }
};

TEST_P(ElementwiseConformance, RmsNormAndLayerNorm) {
  for (const bool centred : {false, true}) {
    for (const size_t rows : {1, 2, 5, 70, 901}) {
      DeviceMatrix x = matrix(rows % 3 == 0 ? activations() : DType::f32, rows, cols(rows));  // the residual is f32
      DeviceMatrix out = matrix(rows, x.host.cols);
      const TestMatrix weight(1, x.host.cols, 0, random_), bias(1, x.host.cols, 0, random_);
      const DeviceBytes weights(*backend_, weight.values), biases(*backend_, bias.values);
      const auto* const w = static_cast<const float*>(weights.data());
      if (centred) {
        backend_->layer_norm(x.view(), w, static_cast<const float*>(biases.data()), 1e-3F, out.view());
      } else {
        backend_->rms_norm(x.view(), w, 1e-3F, out.view());
      }
      out.read();
      for (size_t row = 0; row < rows; ++row) {
        double mean = 0;
        for (size_t i = 0; centred && i < x.host.cols; ++i) mean += x.host.at(row, i);
        mean /= static_cast<double>(x.host.cols);
        double squares = 0;
        for (size_t i = 0; i < x.host.cols; ++i) squares += std::pow(x.host.at(row, i) - mean, 2);
        const double factor = 1 / std::sqrt(squares / static_cast<double>(x.host.cols) + static_cast<double>(1e-3F));
        for (size_t i = 0; i < x.host.cols; ++i) {
          const double scaled = (x.host.at(row, i) - mean) * factor * weight.at(0, i);
          expect_close(out.host.at(row, i), scaled + (centred ? bias.at(0, i) : 0.0F), 8, activations());
        }
      }
    }
  }
}

TEST_P(ElementwiseConformance, RmsNormInPlace) {
  DeviceMatrix x = matrix(9, 80), out = matrix(9, 80);
  const DeviceBytes weights(*backend_, TestMatrix(1, 80, 0, random_).values);
  backend_->rms_norm(x.view(), static_cast<const float*>(weights.data()), 1e-5F, out.view());
  backend_->rms_norm(x.view(), static_cast<const float*>(weights.data()), 1e-5F, x.view());
  out.read();
  x.read();
  for (size_t i = 0; i < 80; ++i) EXPECT_EQ(x.host.at(8, i), out.host.at(8, i));
}

double reference_activation(double x, Activation activation) {
  if (activation == Activation::silu) return x / (1 + std::exp(-x));
  if (activation == Activation::gelu_erf) return 0.5 * x * std::erfc(-x * std::sqrt(0.5));
  if (activation == Activation::relu) return std::max(x, 0.0);
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x)));
}

TEST_P(ElementwiseConformance, Activations) {
  for (const Activation activation :
       {Activation::silu, Activation::gelu_tanh, Activation::gelu_erf, Activation::relu}) {
    for (const size_t rows : {1, 2, 70, 401}) {
      TestMatrix values(rows, cols(rows), 8, random_);
      for (float& value : values.values) value = value == kGapValue ? value : value * 4;
      values.at(0, 0) = -200.0F;  // far beyond where exp overflows
      values.at(rows - 1, values.cols - 1) = 200.0F;
      DeviceMatrix gate(*backend_, activations(), values), plain(*backend_, activations(), values);
      const DeviceMatrix up = matrix(rows, values.cols);
      const TestMatrix before = gate.host;
      backend_->gated_activation(gate.view(), up.view(), activation);
      backend_->activate(plain.view(), activation);
      gate.read();
      plain.read();
      for (size_t row = 0; row < rows; ++row) {
        for (size_t i = 0; i < values.cols; ++i) {
          const double expected = reference_activation(before.at(row, i), activation);
          // The reference cancels for very negative x; the GPU's fast exponential is good for 2^-21, the CPU's series
          // of GELU for 1e-7 of x.
          const double series = activation == Activation::gelu_erf ? 5.2e-7 : 1e-12;
          const double allowed = 3 * rounding(activations()) * std::fabs(expected) + series;
          ASSERT_NEAR(plain.host.at(row, i), expected, allowed) << before.at(row, i);
          ASSERT_NEAR(gate.host.at(row, i), expected * up.host.at(row, i),
                      allowed * (1 + std::fabs(up.host.at(row, i))));
        }
      }
    }
  }
}

TEST_P(ElementwiseConformance, Add) {
  for (const size_t rows : {1, 70, 901}) {
    DeviceMatrix x = matrix(DType::f32, rows, cols(rows)), y = matrix(rows, x.host.cols);
    const TestMatrix before = x.host;
    backend_->add(x.view(), y.view());
    x.read();
    for (size_t row = 0; row < rows; ++row) {
      for (size_t i = 0; i < x.host.cols; ++i) ASSERT_EQ(x.host.at(row, i), before.at(row, i) + y.host.at(row, i));
    }
  }
}

TEST_P(ElementwiseConformance, RopeRotatesPairsAndLeavesTheRest) {
  for (const RopePairing pairing : {RopePairing::adjacent, RopePairing::halves}) {
    for (const size_t head_dim : {2, 10, 64, 80, 128, 256}) {
      const size_t heads = random_.between(1, 9);
      const size_t pairs = head_dim % 16 == 0 ? head_dim / 2 : random_.between(1, head_dim / 2);
      DeviceMatrix x = matrix(2 * random_.between(1, 75), heads * head_dim);
      const DeviceMatrix cos_sin = matrix(DType::f32, x.host.rows, 2 * pairs);
      const TestMatrix before = x.host;
      backend_->rope(x.view(), head_dim, cos_sin.view(), pairing);
      x.read();
      for (size_t row = 0; row < before.rows; ++row) {
        for (size_t at = 0; at < heads * head_dim / 2; ++at) {
          const size_t i = at % (head_dim / 2);
          const size_t head = at / (head_dim / 2) * head_dim;
          const bool turned = i < pairs;
          const size_t first = head + (pairing == RopePairing::adjacent || !turned ? 2 * i : i);
          const size_t second = pairing == RopePairing::adjacent || !turned ? first + 1 : first + pairs;
          const double a = before.at(row, first), b = before.at(row, second);
          const double c = turned ? cos_sin.host.at(row, i) : 1.0F;
          const double s = turned ? cos_sin.host.at(row, pairs + i) : 0.0F;
          expect_close(x.host.at(row, first), a * c - b * s, std::fabs(a * c) + std::fabs(b * s), activations());
          expect_close(x.host.at(row, second), b * c + a * s, std::fabs(b * c) + std::fabs(a * s), activations());
        }
      }
    }
  }
}

TEST_P(ElementwiseConformance, TheLikeliestIsTheFirstOfTheLargest) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const auto find = [&](const std::vector<float>& values, size_t rows = 1) {
    const DeviceBytes on_device(*backend_, values);
    const size_t cols = values.size() / rows;
    std::vector<size_t> places(rows);
    backend_->likeliest({on_device.data(), DType::f32, rows, cols, cols * sizeof(float)}, places);
    return places;
  };
  using Places = std::vector<size_t>;
  for (const size_t count : {2, 31, 1000, 128257}) {
    std::vector<float> values(2 * count);
    for (float& value : values) value = random_.normal() - 10;  // all below zero
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(count);
    const auto place = [](auto begin, auto end) { return static_cast<size_t>(std::max_element(begin, end) - begin); };
    EXPECT_EQ(find(values, 2), (Places{place(values.begin(), middle), place(middle, values.end())}));
    values[count - 1] = values[count / 3] = 2.5F;
    EXPECT_EQ(find(values, 2)[0], count / 3);
    values[count / 3] = kNan;
    EXPECT_EQ(find(values, 2)[0], count - 1);
  }
  EXPECT_EQ(find({-kInfinity, -5, kInfinity, std::numeric_limits<float>::max(), 3}), Places{2});
  EXPECT_EQ(find({kNan, -kInfinity, kNan}), Places{3});
  EXPECT_EQ(find({-1, -0.0F, 0.0F}), Places{1});
}

/// A backend may leave it to the host, but what it finds is all that is wanted.
TEST_P(ElementwiseConformance, CandidatesAreTheLargest) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kLargest = std::numeric_limits<float>::max();
  for (const size_t n : {1, 40, 1000, 49152, 151936}) {
    for (const bool tied : {false, true}) {
      std::vector<float> logits(n);
      for (float& logit : logits) logit = tied ? std::round(random_.normal() * 8) : random_.normal() * 6 - 20;
      for (const float odd : {std::numeric_limits<float>::quiet_NaN(), -kInfinity, kInfinity, kLargest, -0.0F}) {
        logits[random_.between(0, n - 1)] = odd;
      }
      const DeviceBytes on_device(*backend_, logits);
      for (float& logit : logits) logit = std::isnan(logit) ? -kInfinity : std::min(logit, kLargest);
      std::vector<float> sorted = logits;
      std::sort(sorted.begin(), sorted.end(), std::greater<>());
      for (const size_t count : {1, 40, 1024, 200000}) {
        std::vector<Candidate> found{{1, 2}};
        if (!backend_->find_candidates({on_device.data(), DType::f32, 1, n, n * sizeof(float)}, count, found)) continue;
        const float least = sorted[std::min(count, n) - 1];
        std::vector<Candidate> expected;
        for (size_t i = 0; i < n; ++i) {
          if (logits[i] >= least && logits[i] > -kInfinity) expected.push_back({logits[i], static_cast<int32_t>(i)});
        }
        ASSERT_EQ(found.size(), expected.size()) << n << " logits, " << count << " wanted";
        for (size_t i = 0; i < found.size(); ++i) {
          ASSERT_EQ(found[i].logit, expected[i].logit) << i;
          ASSERT_EQ(found[i].id, expected[i].id) << i;
        }
      }
      std::vector<Candidate> found;
      const bool on_gpu = GetParam().device == "cuda";
      if (!tied) {
        EXPECT_EQ(backend_->find_candidates({on_device.data(), DType::f32, 1, n, n * sizeof(float)}, 40, found),
                  on_gpu);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, ElementwiseConformance, testing::ValuesIn(all_cases()), case_name);

}  // namespace
}  // namespace kvzip::conformance
