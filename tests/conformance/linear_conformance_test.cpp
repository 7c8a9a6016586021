// Linear layers on every backend against sums in double.
#include <cmath>
#include <numbers>

#include "tests/conformance/device_data.h"

namespace kvzip::conformance {
namespace {

class LinearConformance : public BackendTest {
 protected:
  struct Layer {
    DeviceMatrix weight;
    TestMatrix bias;
    DeviceBytes bias_on_device;
    DeviceMatrix out;
    bool biased;
    bool accumulate;
  };

  /// Columns as models have them: multiples of 8.
  Layer layer(DType out, size_t tokens, size_t in, size_t rows, bool accumulate) {
    TestMatrix bias(1, rows, 0, random_);
    DeviceBytes bias_on_device(*backend_, bias.values);
    return {DeviceMatrix(*backend_, activations(), rows, in, 0, random_),
            bias,
            std::move(bias_on_device),
            DeviceMatrix(*backend_, out, tokens, rows, 8, random_),
            random_.between(0, 1) == 1,
            accumulate};
  }

  /// bf16 operands are exact here, their products and sums f32: what rounds is the order of the sum, and the result. On
  /// the CPU, fast products round the activations to bf16 as well. A bias may be added to a sum that was rounded.
  double tolerance(const TestMatrix& x, const Layer& one, size_t token, size_t row, double sum) const {
    double absolute = 0;
    double squares = 0;
    for (size_t i = 0; i < x.cols; ++i) {
      const double product = static_cast<double>(x.at(token, i)) * one.weight.host.at(row, i);
      absolute += std::fabs(product);
      squares += product * product;
    }
    const double input = is_exact() || activations() == DType::bf16 ? 0 : 6.0 / 512 * std::sqrt(squares);
    return 2e-6 * absolute + 1e-5 + input +
           rounding(one.out.view().dtype) * (std::fabs(sum) + (one.biased ? std::fabs(sum - one.bias.at(0, row)) : 0));
  }

  /// The sum that an output of a layer is, in double.
  static double product(const TestMatrix& x, const Layer& one, size_t token, size_t row) {
    double sum = one.biased ? one.bias.at(0, row) : 0.0F;
    for (size_t i = 0; i < x.cols; ++i) sum += static_cast<double>(x.at(token, i)) * one.weight.host.at(row, i);
    return sum;
  }

  static LinearPart part_of(const Layer& one) {
    const auto* const bias = static_cast<const float*>(one.bias_on_device.data());
    return {one.weight.view(), one.biased ? bias : nullptr, one.out.view(), one.accumulate};
  }

  void expect_products(const DeviceMatrix& x, std::vector<Layer>& layers) {
    std::vector<LinearPart> parts;
    std::vector<TestMatrix> before;
    for (Layer& one : layers) {
      before.push_back(one.out.host);
      parts.push_back(part_of(one));
    }
    backend_->linear(x.view(), parts);
    for (size_t l = 0; l < layers.size(); ++l) {
      Layer& one = layers[l];
      one.out.read();
      for (size_t token = 0; token < x.host.rows; ++token) {
        for (size_t row = 0; row < one.weight.host.rows; ++row) {
          const double sum = product(x.host, one, token, row) + (one.accumulate ? before[l].at(token, row) : 0.0F);
          ASSERT_NEAR(one.out.host.at(token, row), sum, tolerance(x.host, one, token, row, sum))
              << "tokens " << x.host.rows << " in " << x.host.cols << " out " << one.weight.host.rows << " at " << token
              << ", " << row;
        }
      }
    }
  }
};

TEST_P(LinearConformance, AgreesWithSumsInDouble) {
  for (const size_t tokens : {1, 2, 3, 7, 16, 33, 70, 129}) {
    const size_t in = 8 * random_.between(1, 100);
    const DeviceMatrix x(*backend_, activations(), tokens, in, 8 * random_.between(0, 2), random_);
    std::vector<Layer> layers;
    layers.push_back(layer(activations(), tokens, in, 8 * random_.between(1, 20), false));
    layers.push_back(layer(DType::f32, tokens, in, 8 * random_.between(1, 20), true));  // the residual stream
    layers.push_back(layer(DType::f32, tokens, in, random_.between(1, 150), false));    // logits of an odd vocabulary
    expect_products(x, layers);
  }
}

// Gate and product are rounded to the type of the activations, or not, before they meet; no activation is steeper than
// 1.2.
TEST_P(LinearConformance, GatedProductsAgreeWithDoubles) {
  for (const size_t tokens : {1, 2, 33}) {
    for (const Activation activation : {Activation::silu, Activation::gelu_tanh}) {
      const size_t in = 8 * random_.between(1, 320);
      const size_t rows = 8 * random_.between(1, 12) + (tokens == 1 ? random_.between(0, 7) : 0);
      const DeviceMatrix x(*backend_, activations(), tokens, in, 8, random_);
      Layer gate = layer(activations(), tokens, in, rows, false);
      const Layer up = layer(activations(), tokens, in, rows, false);
      backend_->gated_linear(x.view(), part_of(gate), part_of(up), activation);
      gate.out.read();
      for (size_t token = 0; token < tokens; ++token) {
        for (size_t row = 0; row < rows; ++row) {
          const double g = product(x.host, gate, token, row);
          const double u = product(x.host, up, token, row);
          const double opened =
              activation == Activation::silu
                  ? g / (1 + std::exp(-g))
                  : 0.5 * g * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (g + 0.044715 * g * g * g)));
          const double allowed = 1.2 * tolerance(x.host, gate, token, row, g) * std::fabs(u) +
                                 std::fabs(opened) * tolerance(x.host, up, token, row, u) +
                                 2 * rounding(activations()) * std::fabs(opened * u) + 1e-5;
          ASSERT_NEAR(gate.out.host.at(token, row), opened * u, allowed)
              << "tokens " << tokens << " in " << in << " out " << rows << " at " << token << ", " << row;
        }
      }
    }
  }
}

// What is normed may be rounded to the type of the activations before it is multiplied.
TEST_P(LinearConformance, NormsItsInputFirst) {
  for (const size_t tokens : {1, 5, 40}) {
    const size_t in = 8 * random_.between(1, 300);
    const size_t rows = 8 * random_.between(1, 12);
    const DeviceMatrix x(*backend_, DType::f32, tokens, in, 8, random_);
    const TestMatrix weight(1, in, 0, random_);
    const DeviceBytes weight_on_device(*backend_, weight.values);
    const DeviceMatrix room(*backend_, activations(), tokens, in, 0, random_);
    Layer one = layer(activations(), tokens, in, rows, false);
    constexpr float kEps = 1e-3F;
    const LinearPart part = part_of(one);
    backend_->linear({x.view(), static_cast<const float*>(weight_on_device.data()), kEps, room.view()}, {&part, 1});
    one.out.read();
    TestMatrix normed = x.host;
    for (size_t token = 0; token < tokens; ++token) {
      double squares = 0;
      for (size_t i = 0; i < in; ++i) squares += static_cast<double>(x.host.at(token, i)) * x.host.at(token, i);
      const double factor = 1 / std::sqrt(squares / static_cast<double>(in) + kEps);
      for (size_t i = 0; i < in; ++i) {
        normed.at(token, i) = static_cast<float>(x.host.at(token, i) * factor * weight.at(0, i));
      }
      for (size_t row = 0; row < rows; ++row) {
        double products = 0;
        for (size_t i = 0; i < in; ++i)
          products += std::pow(static_cast<double>(normed.at(token, i)) * one.weight.host.at(row, i), 2);
        const double sum = product(normed, one, token, row);
        const double rounded_input = 6 * rounding(activations()) / 2 * std::sqrt(products);
        ASSERT_NEAR(one.out.host.at(token, row), sum, tolerance(normed, one, token, row, sum) + rounded_input)
            << "tokens " << tokens << " in " << in << " at " << token << ", " << row;
      }
    }
  }
}

TEST_P(LinearConformance, TheSameShapeAgainComesOutTheSame) {
  const DeviceMatrix x(*backend_, activations(), 40, 256, 0, random_);
  std::vector<Layer> layers;
  layers.push_back(layer(activations(), 40, 256, 64, false));
  expect_products(x, layers);
  const TestMatrix first = layers[0].out.host;
  expect_products(x, layers);
  EXPECT_TRUE(first.values == layers[0].out.host.values);
}

TEST_P(LinearConformance, NoTokensIsNoWork) {
  const DeviceMatrix x(*backend_, activations(), 1, 64, 0, random_);
  const DeviceMatrix weight(*backend_, activations(), 8, 64, 0, random_);
  const DeviceMatrix out(*backend_, activations(), 1, 8, 0, random_);
  const LinearPart part{weight.view(), nullptr, rows_of(out.view(), 0, 0), false};
  backend_->linear(rows_of(x.view(), 0, 0), {&part, 1});
  backend_->synchronize();
}

INSTANTIATE_TEST_SUITE_P(Backends, LinearConformance, testing::ValuesIn(all_cases()), case_name);

}  // namespace
}  // namespace kvzip::conformance
