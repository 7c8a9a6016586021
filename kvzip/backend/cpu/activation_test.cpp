// Activation functions against plain double arithmetic, through the Backend interface.
#include "kvzip/backend/cpu/activation.h"

#include <gtest/gtest.h>

#include "kvzip/backend/cpu/cpu_test_util.h"
#include "kvzip/base/parallel.h"

namespace kvzip {
namespace {

// An exponent e that is wrong by a few roundings of 2^-24 makes the exponential wrong by e times that; results above
// 1e-12 have exponents up to 28.
constexpr double kRelative = 5e-6;

double reference_activation(double x, Activation activation) {
  if (activation == Activation::silu) return x / (1 + std::exp(-x));
  if (activation == Activation::gelu_erf) return 0.5 * x * std::erfc(-x * std::sqrt(0.5));
  if (activation == Activation::relu) return std::max(x, 0.0);
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x)));
}

class ActivationTest : public testing::TestWithParam<Activation> {
 protected:
  void TearDown() override { set_thread_count(0); }
  /// Rows of columns that no vector length divides, with values far beyond where exp overflows.
  TestMatrix inputs(size_t rows) {
    TestMatrix x(rows, random_.between(1, 300), random_.between(0, 3), random_);
    for (float& value : x.values) value = value == kGapValue ? value : value * 4;
    x.at(0, 0) = -200.0F;
    x.at(rows - 1, x.cols - 1) = 200.0F;
    return x;
  }
  // The reference itself cancels for very negative x, where the result is next to nothing. GELU's series is good for
  // 1e-7 of x, which is at most 5.2 where the rest counts.
  static void expect_close(float found, double expected, float factor = 1) {
    const double series = GetParam() == Activation::gelu_erf ? 5.2e-7 * std::fabs(factor) : 0;
    ASSERT_NEAR(found, expected, kRelative * std::fabs(expected) + series + 1e-12);
  }

  std::unique_ptr<Backend> backend_ = make_cpu_backend();
  Random random_{22};
};

TEST_P(ActivationTest, WithAGate) {
  for (const size_t rows : {1, 3, 70, 400}) {
    set_thread_count(random_.between(1, 3));
    TestMatrix gate = inputs(rows);
    TestMatrix up(rows, gate.cols, random_.between(0, 3), random_);
    const TestMatrix before = gate;
    backend_->gated_activation(gate.view(), up.view(), GetParam());
    for (size_t row = 0; row < rows; ++row) {
      for (size_t i = 0; i < gate.cols; ++i)
        expect_close(gate.at(row, i), reference_activation(before.at(row, i), GetParam()) * up.at(row, i),
                     up.at(row, i));
    }
    EXPECT_TRUE(gate.gaps_untouched());
  }
}

TEST_P(ActivationTest, WithoutAGate) {
  for (const size_t rows : {1, 3, 70, 400}) {
    set_thread_count(random_.between(1, 3));
    TestMatrix x = inputs(rows);
    const TestMatrix before = x;
    backend_->activate(x.view(), GetParam());
    for (size_t row = 0; row < rows; ++row) {
      for (size_t i = 0; i < x.cols; ++i)
        expect_close(x.at(row, i), reference_activation(before.at(row, i), GetParam()));
    }
    EXPECT_TRUE(x.gaps_untouched());
  }
}

std::string name_of(const testing::TestParamInfo<Activation>& one) {
  constexpr const char* kNames[] = {"Silu", "GeluTanh", "GeluErf", "Relu"};
  return kNames[static_cast<size_t>(one.param)];
}

INSTANTIATE_TEST_SUITE_P(Functions, ActivationTest,
                         testing::Values(Activation::silu, Activation::gelu_tanh, Activation::gelu_erf,
                                         Activation::relu),
                         name_of);

}  // namespace
}  // namespace kvzip
