// Linear layers on every backend against sums in double.
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

  void expect_products(const DeviceMatrix& x, std::vector<Layer>& layers) {
    std::vector<LinearPart> parts;
    std::vector<TestMatrix> before;
    for (Layer& one : layers) {
      before.push_back(one.out.host);
      const auto* const bias = static_cast<const float*>(one.bias_on_device.data());
      parts.push_back({one.weight.view(), one.biased ? bias : nullptr, one.out.view(), one.accumulate});
    }
    backend_->linear(x.view(), parts);
    for (size_t l = 0; l < layers.size(); ++l) {
      Layer& one = layers[l];
      one.out.read();
      for (size_t token = 0; token < x.host.rows; ++token) {
        for (size_t row = 0; row < one.weight.host.rows; ++row) {
          double sum = one.accumulate ? before[l].at(token, row) : 0.0F;
          if (one.biased) sum += one.bias.at(0, row);
          for (size_t i = 0; i < x.host.cols; ++i) {
            sum += static_cast<double>(x.host.at(token, i)) * one.weight.host.at(row, i);
          }
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
