#include "kvzip/learn/ridge.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <utility>

namespace kvzip {
namespace {

struct Rows {
  size_t rows, inputs, outputs;
  std::vector<float> x, y;
};

/// Inputs of different means and spreads that depend on each other.
Rows random_rows(size_t rows, size_t inputs, size_t outputs, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Rows data{rows, inputs, outputs, {}, {}};
  for (size_t row = 0; row < rows; ++row) {
    const float shared = normal(random);
    for (size_t i = 0; i < inputs; ++i) {
      const auto place = static_cast<float>(i);
      data.x.push_back(2 - place + (0.5F + place / 4) * (normal(random) + shared));
    }
    for (size_t o = 0; o < outputs; ++o) data.y.push_back(static_cast<float>(o) + normal(random) + shared);
  }
  return data;
}

RidgeSums sums_of(const Rows& data, size_t piece) {
  RidgeSums sums(data.inputs, data.outputs);
  for (size_t row = 0; row < data.rows; row += piece) {
    const size_t count = std::min(piece, data.rows - row);
    sums.add(std::span(data.x).subspan(row * data.inputs, count * data.inputs),
             std::span(data.y).subspan(row * data.outputs, count * data.outputs));
  }
  return sums;
}

/// Gauss-Jordan elimination with pivots.
std::vector<double> solve(std::vector<std::vector<double>> a, std::vector<double> b) {
  const size_t n = b.size();
  for (size_t column = 0; column < n; ++column) {
    size_t pivot = column;
    for (size_t row = column; row < n; ++row) {
      if (std::abs(a[row][column]) > std::abs(a[pivot][column])) pivot = row;
    }
    std::swap(a[pivot], a[column]);
    std::swap(b[pivot], b[column]);
    for (size_t row = 0; row < n; ++row) {
      if (row == column) continue;
      const double factor = a[row][column] / a[column][column];
      for (size_t i = column; i < n; ++i) a[row][i] -= factor * a[column][i];
      b[row] -= factor * b[column];
    }
  }
  for (size_t i = 0; i < n; ++i) b[i] /= a[i][i];
  return b;
}

/// The normal equations of the standardised rows themselves, for one output: weights, then the bias.
std::vector<double> plain_ridge(const Rows& data, size_t output, double lambda) {
  const auto count = static_cast<double>(data.rows);
  std::vector<double> mean(data.inputs), spread(data.inputs);
  double mean_y = 0;
  for (size_t row = 0; row < data.rows; ++row) {
    for (size_t i = 0; i < data.inputs; ++i) mean[i] += data.x[row * data.inputs + i] / count;
    mean_y += data.y[row * data.outputs + output] / count;
  }
  for (size_t row = 0; row < data.rows; ++row) {
    for (size_t i = 0; i < data.inputs; ++i) spread[i] += std::pow(data.x[row * data.inputs + i] - mean[i], 2) / count;
  }
  for (double& value : spread) value = std::sqrt(value);
  std::vector<std::vector<double>> a(data.inputs, std::vector<double>(data.inputs));
  std::vector<double> b(data.inputs);
  for (size_t row = 0; row < data.rows; ++row) {
    const auto z = [&](size_t i) { return (data.x[row * data.inputs + i] - mean[i]) / spread[i]; };
    for (size_t i = 0; i < data.inputs; ++i) {
      for (size_t j = 0; j < data.inputs; ++j) a[i][j] += z(i) * z(j);
      b[i] += z(i) * (data.y[row * data.outputs + output] - mean_y);
    }
  }
  for (size_t i = 0; i < data.inputs; ++i) a[i][i] += lambda * count;
  std::vector<double> weights = solve(std::move(a), std::move(b));
  double bias = mean_y;
  for (size_t i = 0; i < data.inputs; ++i) {
    weights[i] /= spread[i];
    bias -= weights[i] * mean[i];
  }
  weights.push_back(bias);
  return weights;
}

TEST(Ridge, SolvesTheNormalEquations) {
  for (const size_t inputs : {1U, 7U, 65U, 131U}) {
    const Rows data = random_rows(401, inputs, 3, static_cast<uint32_t>(inputs));
    for (const double lambda : {1e-4, 0.1, 3.0}) {
      const LinearMap map = solve_ridge(sums_of(data, 37), lambda);
      for (size_t o = 0; o < 3; ++o) {
        const std::vector<double> expected = plain_ridge(data, o, lambda);
        for (size_t i = 0; i < inputs; ++i)
          EXPECT_NEAR(map.weights[o * inputs + i], expected[i], 2e-4) << inputs << ' ' << lambda;
        EXPECT_NEAR(map.bias[o], expected[inputs], 2e-3 * (1 + std::abs(expected[inputs])));
      }
    }
  }
}

TEST(Ridge, RecoversAPlantedMap) {
  Rows data = random_rows(900, 40, 2, 5);
  std::mt19937 random(6);
  std::vector<float> weights(80);
  for (float& weight : weights) weight = std::normal_distribution<float>()(random);
  for (size_t row = 0; row < data.rows; ++row) {
    for (size_t o = 0; o < 2; ++o) {
      double y = 1.5;
      for (size_t i = 0; i < 40; ++i) y += static_cast<double>(weights[o * 40 + i]) * data.x[row * 40 + i];
      data.y[row * 2 + o] = static_cast<float>(y);
    }
  }
  const LinearMap map = solve_ridge(sums_of(data, 128), 1e-7);
  for (size_t i = 0; i < weights.size(); ++i) EXPECT_NEAR(map.weights[i], weights[i], 2e-3);
  FitSums fit;
  fit.add(map, sums_of(data, 900));
  EXPECT_GT(fit.correlation(), 0.99999);
}

TEST(Ridge, ConstantInputsHaveNoWeight) {
  Rows data = random_rows(200, 5, 1, 9);
  for (size_t row = 0; row < data.rows; ++row) data.x[row * 5 + 2] = 4;
  const LinearMap map = solve_ridge(sums_of(data, 50), 1e-3);
  EXPECT_EQ(map.weights[2], 0);
  for (const double weight : map.weights) EXPECT_TRUE(std::isfinite(weight));
}

TEST(Ridge, FitIsWhatPlainLoopsFind) {
  const Rows learned = random_rows(300, 9, 2, 11), seen = random_rows(170, 9, 2, 12);
  const LinearMap map = solve_ridge(sums_of(learned, 100), 0.01);
  FitSums fit;
  fit.add(map, sums_of(seen, 33));
  fit.add(map, sums_of(learned, 33));
  std::vector<double> ys, ps;
  for (const Rows* data : {&seen, &learned}) {
    for (size_t row = 0; row < data->rows; ++row) {
      for (size_t o = 0; o < 2; ++o) {
        double p = map.bias[o];
        for (size_t i = 0; i < 9; ++i) p += map.weights[o * 9 + i] * static_cast<double>(data->x[row * 9 + i]);
        ps.push_back(p);
        ys.push_back(data->y[row * 2 + o]);
      }
    }
  }
  const auto n = static_cast<double>(ys.size());
  double my = 0, mp = 0, error = 0, yy = 0, pp = 0, yp = 0;
  for (size_t i = 0; i < ys.size(); ++i) {
    my += ys[i] / n;
    mp += ps[i] / n;
    error += std::pow(ys[i] - ps[i], 2) / n;
  }
  for (size_t i = 0; i < ys.size(); ++i) {
    yy += (ys[i] - my) * (ys[i] - my);
    pp += (ps[i] - mp) * (ps[i] - mp);
    yp += (ys[i] - my) * (ps[i] - mp);
  }
  EXPECT_NEAR(fit.squared_error(), error, 1e-4);
  EXPECT_NEAR(fit.correlation(), yp / std::sqrt(yy * pp), 1e-4);
}

TEST(Ridge, SumsAddUp) {
  const Rows first = random_rows(90, 70, 2, 1), second = random_rows(55, 70, 2, 2);
  RidgeSums sums = sums_of(first, 90);
  sums.add(sums_of(second, 55));
  RidgeSums together = sums_of(first, 45);
  together.add(second.x, second.y);
  EXPECT_EQ(sums.rows(), 145U);
  const LinearMap a = solve_ridge(sums, 0.05), b = solve_ridge(together, 0.05);
  for (size_t i = 0; i < a.weights.size(); ++i) EXPECT_NEAR(a.weights[i], b.weights[i], 1e-4);
}

}  // namespace
}  // namespace kvzip
