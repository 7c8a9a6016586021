// Linear layers against sums in double, for every weight type, by both routes and at both precisions.
#include "kvzip/backend/cpu/linear.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>

#include "kvzip/backend/cpu/cpu_info.h"
#include "kvzip/backend/cpu/cpu_test_util.h"
#include "kvzip/base/parallel.h"

namespace kvzip {
namespace {

constexpr double kBf16Half = 1.0 / 512;  // half a unit in the last place of bf16, relative
constexpr double kF16Half = 1.0 / 4096;  // of f16

enum class Route { rows, gemm };

struct Case {
  Route route;
  Precision precision;
};

/// How far one result may be from the sum in double. Rounding errors are independent, so a sum of n of them grows as
/// sqrt(n): six standard deviations are allowed, plus what is rounded once for a block or a row.
double tolerance(const Case& test, DType dtype, const float* x, const float* w, size_t cols) {
  double absolute = 0;
  double squares = 0;
  double largest_weight = 0;
  double sum_x = 0;
  for (size_t i = 0; i < cols; ++i) {
    const double product = static_cast<double>(x[i]) * w[i];
    absolute += std::fabs(product);
    squares += product * product;
    largest_weight = std::max(largest_weight, std::fabs(static_cast<double>(w[i])));
    sum_x += std::fabs(x[i]);
  }
  // f32 sums over vectors of lanes: a few dozen roundings of 2^-24, and what accumulating into `out` adds.
  const double f32_error = 2e-6 * absolute + 1e-5;
  if (test.precision == Precision::exact) return f32_error;
  if (test.route == Route::gemm) return f32_error + 6 * kBf16Half * std::sqrt(squares);
  if (dtype == DType::f32) return f32_error;
  if (dtype == DType::f16 || dtype == DType::bf16) return f32_error + 6 * kBf16Half * std::sqrt(squares);
  // Activations in 8 bits: an error of up to half a step, 1/127 of the largest value of the block, at every value; the
  // scale and, in the formats with a minimum, the sum of the block are rounded to f16.
  const size_t block = dtype_info(dtype).block_values;
  double variance = 0;
  for (size_t begin = 0; begin < cols; begin += block) {
    float largest = 0;
    for (size_t i = begin; i < begin + block; ++i) largest = std::max(largest, std::fabs(x[i]));
    const double step = largest / 127.0;
    for (size_t i = begin; i < begin + block; ++i) variance += step * step / 12 * w[i] * w[i];
  }
  return f32_error + 6 * std::sqrt(variance) + kF16Half * (absolute + largest_weight * sum_x);
}

struct Layer {
  TestWeight weight;
  std::vector<float> bias;
  TestMatrix out;
  bool accumulate;
};

/// Runs `layers` on x and compares every value.
void expect_products(const Case& test, TestMatrix& x, std::vector<Layer>& layers) {
  std::vector<LinearPart> parts;
  std::vector<TestMatrix> before;
  for (Layer& layer : layers) {
    before.push_back(layer.out);
    parts.push_back(
        {layer.weight.view(), layer.bias.empty() ? nullptr : layer.bias.data(), layer.out.view(), layer.accumulate});
  }
  if (test.route == Route::rows) {
    LinearRows().run(x.view(), parts, test.precision);
  } else {
    LinearGemm().run(x.view(), parts, test.precision);
  }
  for (size_t l = 0; l < layers.size(); ++l) {
    const Layer& layer = layers[l];
    EXPECT_TRUE(layer.out.gaps_untouched());
    for (size_t token = 0; token < x.rows; ++token) {
      const float* const x_row = &x.values[token * x.stride];
      for (size_t row = 0; row < layer.weight.rows; ++row) {
        double sum = layer.accumulate ? before[l].at(token, row) : 0.0F;
        if (!layer.bias.empty()) sum += layer.bias[row];
        for (size_t i = 0; i < x.cols; ++i) sum += static_cast<double>(x_row[i]) * layer.weight.row(row)[i];
        const double allowed = tolerance(test, layer.weight.dtype, x_row, layer.weight.row(row), x.cols);
        ASSERT_NEAR(layer.out.at(token, row), sum, allowed)
            << dtype_name(layer.weight.dtype) << " tokens " << x.rows << " in " << x.cols << " out "
            << layer.weight.rows << " at " << token << ", " << row;
      }
    }
  }
}

Layer random_layer(DType dtype, size_t tokens, size_t cols, Random& random) {
  const size_t rows = random.between(1, 150);
  Layer layer{TestWeight(dtype, rows, cols, random.between(0, 2), random),
              {},
              TestMatrix(tokens, rows, random.between(0, 5), random),
              random.between(0, 1) == 1};
  if (random.between(0, 1) == 1) {
    for (size_t i = 0; i < rows; ++i) layer.bias.push_back(random.normal());
  }
  return layer;
}

size_t random_cols(DType dtype, Random& random) {
  const size_t block = dtype_info(dtype).block_values;
  return block * random.between(1, std::max<size_t>(1000 / block, 2));
}

class LinearTest : public testing::TestWithParam<std::tuple<size_t, Case>> {
 protected:
  void TearDown() override { set_thread_count(0); }
};

TEST_P(LinearTest, AgreesWithSumsInDouble) {
  const auto dtype = static_cast<DType>(std::get<0>(GetParam()));
  const Case test = std::get<1>(GetParam());
  Random random(17 + static_cast<unsigned>(dtype));
  for (const size_t tokens :
       {size_t{1}, size_t{2}, size_t{3}, size_t{7}, size_t{16}, random.between(17, 40), size_t{70}}) {
    set_thread_count(random.between(1, 3));
    const size_t cols = random_cols(dtype, random);
    TestMatrix x(tokens, cols, random.between(0, 3), random);
    std::vector<Layer> layers;
    for (size_t i = random.between(1, 3); i > 0; --i) layers.push_back(random_layer(dtype, tokens, cols, random));
    expect_products(test, x, layers);
  }
}

std::string case_name(const testing::TestParamInfo<LinearTest::ParamType>& info) {
  const Case test = std::get<1>(info.param);
  return std::string(dtype_name(static_cast<DType>(std::get<0>(info.param)))) +
         (test.route == Route::rows ? "_rows" : "_gemm") + (test.precision == Precision::fast ? "_fast" : "_exact");
}

INSTANTIATE_TEST_SUITE_P(
    AllTypes, LinearTest,
    testing::Combine(testing::Range(size_t{0}, kDTypeCount),
                     testing::Values(Case{Route::rows, Precision::fast}, Case{Route::rows, Precision::exact},
                                     Case{Route::gemm, Precision::fast}, Case{Route::gemm, Precision::exact})),
    case_name);

TEST(LinearPartsTest, PartsOfDifferentTypesShareOneInput) {
  Random random(5);
  for (const Route route : {Route::rows, Route::gemm}) {
    for (const Precision precision : {Precision::fast, Precision::exact}) {
      TestMatrix x(4, 512, 1, random);
      std::vector<Layer> layers;
      for (const DType dtype : {DType::q4_k, DType::q6_k, DType::q8_0, DType::f32, DType::f16, DType::q4_1}) {
        layers.push_back(random_layer(dtype, 4, 512, random));
      }
      expect_products({route, precision}, x, layers);
    }
  }
}

// 1100 rows of 4096 are more than one tile of decoded weights; 600 rows of 16384 are more than are rounded at a time.
TEST(LinearGemmTest, LargeMatricesAreCutIntoTiles) {
  Random random(6);
  TestMatrix x(5, 4096, 0, random);
  std::vector<Layer> layers;
  layers.push_back({TestWeight(DType::f16, 2100, 4096, 0, random), {}, TestMatrix(5, 2100, 3, random), true});
  for (size_t i = 0; i < 2100; ++i) layers[0].bias.push_back(random.normal());
  expect_products({Route::gemm, Precision::fast}, x, layers);
  expect_products({Route::gemm, Precision::exact}, x, layers);

  TestMatrix tall(600, 16384, 0, random);
  std::vector<Layer> narrow;
  narrow.push_back({TestWeight(DType::bf16, 3, 16384, 0, random), {}, TestMatrix(600, 3, 0, random), false});
  expect_products({Route::gemm, Precision::fast}, tall, narrow);
}

TEST(LinearTestOfChoice, EveryNumberOfRowsWorksThroughOneObject) {
  Random random(7);
  Linear linear;
  for (size_t tokens = 1; tokens <= 40; ++tokens) {
    TestMatrix x(tokens, 96, 0, random);
    Layer layer{TestWeight(DType::q8_0, 33, 96, 0, random), {}, TestMatrix(tokens, 33, 0, random), false};
    const LinearPart part{layer.weight.view(), nullptr, layer.out.view(), false};
    linear.run(x.view(), {&part, 1}, Precision::exact);
    for (size_t token = 0; token < tokens; ++token) {
      for (size_t row = 0; row < 33; ++row) {
        double sum = 0;
        for (size_t i = 0; i < 96; ++i) sum += static_cast<double>(x.at(token, i)) * layer.weight.row(row)[i];
        ASSERT_NEAR(layer.out.at(token, row), sum, 1e-4);
      }
    }
  }
}

}  // namespace
}  // namespace kvzip
