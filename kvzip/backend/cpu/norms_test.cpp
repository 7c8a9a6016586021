// Normalisations against plain double arithmetic, through the Backend interface.
#include "kvzip/backend/cpu/norms.h"

#include <gtest/gtest.h>

#include "kvzip/backend/cpu/cpu_test_util.h"
#include "kvzip/base/parallel.h"

namespace kvzip {
namespace {

/// Row `row` of the result, in double.
std::vector<double> reference(const TestMatrix& x, size_t row, const TestMatrix& weight, const TestMatrix& bias,
                              double eps) {
  double mean = 0;
  for (size_t i = 0; i < x.cols; ++i) mean += x.at(row, i);
  mean /= static_cast<double>(x.cols);
  double variance = 0;
  for (size_t i = 0; i < x.cols; ++i) variance += (x.at(row, i) - mean) * (x.at(row, i) - mean);
  variance /= static_cast<double>(x.cols);
  std::vector<double> out(x.cols);
  for (size_t i = 0; i < x.cols; ++i)
    out[i] = (x.at(row, i) - mean) / std::sqrt(variance + eps) * weight.at(0, i) + bias.at(0, i);
  return out;
}

class NormsTest : public testing::Test {
 protected:
  void TearDown() override { set_thread_count(0); }
  TestMatrix matrix(size_t rows, size_t cols) { return {rows, cols, random_.between(0, 3), random_}; }

  std::unique_ptr<Backend> backend_ = make_cpu_backend();
  Random random_{23};
};

TEST_F(NormsTest, RmsNorm) {
  for (const size_t rows : {1, 2, 5, 70, 900}) {
    set_thread_count(random_.between(1, 3));
    TestMatrix x = matrix(rows, random_.between(1, 700));
    TestMatrix out = matrix(rows, x.cols);
    const TestMatrix weight = matrix(1, x.cols);
    backend_->rms_norm(x.view(), weight.values.data(), 1e-3F, out.view());
    for (size_t row = 0; row < rows; ++row) {
      double squares = 0;
      for (size_t i = 0; i < x.cols; ++i) squares += static_cast<double>(x.at(row, i)) * x.at(row, i);
      const double factor = 1 / std::sqrt(squares / static_cast<double>(x.cols) + static_cast<double>(1e-3F));
      for (size_t i = 0; i < x.cols; ++i) {
        const double expected = x.at(row, i) * factor * weight.at(0, i);
        ASSERT_NEAR(out.at(row, i), expected, 1e-6 * std::fabs(expected));
      }
    }
    EXPECT_TRUE(out.gaps_untouched());
    TestMatrix in_place = x;
    backend_->rms_norm(in_place.view(), weight.values.data(), 1e-3F, in_place.view());
    for (size_t i = 0; i < x.cols; ++i) EXPECT_EQ(in_place.at(rows - 1, i), out.at(rows - 1, i));
  }
}

// A mean of `offset` standard deviations costs that many roundings of 2^-24 in every difference from it.
TEST_F(NormsTest, LayerNorm) {
  for (const float offset : {0.0F, 1.0F, 100.0F}) {
    for (const size_t rows : {1, 2, 5, 70, 900}) {
      set_thread_count(random_.between(1, 3));
      TestMatrix x = matrix(rows, random_.between(3, 700));
      for (float& value : x.values) value = value == kGapValue ? value : value + offset;
      TestMatrix out = matrix(rows, x.cols);
      const TestMatrix weight = matrix(1, x.cols), bias = matrix(1, x.cols);
      backend_->layer_norm(x.view(), weight.values.data(), bias.values.data(), 1e-3F, out.view());
      for (size_t row = 0; row < rows; ++row) {
        const std::vector<double> expected = reference(x, row, weight, bias, static_cast<double>(1e-3F));
        for (size_t i = 0; i < x.cols; ++i) {
          const double scale =
              std::fabs(weight.at(0, i)) * (3 + static_cast<double>(offset)) + std::fabs(bias.at(0, i));
          ASSERT_NEAR(out.at(row, i), expected[i], 1e-6 * scale) << offset << " " << rows << " " << x.cols;
        }
      }
      EXPECT_TRUE(out.gaps_untouched());
    }
  }
}

TEST_F(NormsTest, LayerNormInPlace) {
  TestMatrix x = matrix(3, 67);
  TestMatrix out = matrix(3, 67);
  const TestMatrix weight = matrix(1, 67), bias = matrix(1, 67);
  backend_->layer_norm(x.view(), weight.values.data(), bias.values.data(), 1e-5F, out.view());
  backend_->layer_norm(x.view(), weight.values.data(), bias.values.data(), 1e-5F, x.view());
  for (size_t row = 0; row < 3; ++row) {
    for (size_t i = 0; i < 67; ++i) EXPECT_EQ(x.at(row, i), out.at(row, i));
  }
}

TEST_F(NormsTest, LayerNormOfEqualValuesIsTheBias) {
  TestMatrix x = matrix(1, 19);
  std::fill(x.values.begin(), x.values.end(), 4.0F);
  TestMatrix out = matrix(1, 19);
  const TestMatrix weight = matrix(1, 19), bias = matrix(1, 19);
  backend_->layer_norm(x.view(), weight.values.data(), bias.values.data(), 1e-5F, out.view());
  for (size_t i = 0; i < 19; ++i) EXPECT_EQ(out.at(0, i), bias.at(0, i));
}

}  // namespace
}  // namespace kvzip
