#include "kvzip/learn/ridge.h"

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>
#include <cmath>

#include "kvzip/base/check.h"
#include "kvzip/base/parallel.h"

namespace kvzip {
namespace {

using RowsOf = Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;
using Square = Eigen::Map<const Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;
using Column = Eigen::Map<const Eigen::VectorXd>;

Eigen::Index index(size_t value) { return static_cast<Eigen::Index>(value); }

/// Adds rows [begin, end) of the lower part of X'X.
void add_squares(const RowsOf& x, size_t begin, size_t end, std::vector<double>& to) {
  const Eigen::MatrixXf products = x.middleCols(index(begin), index(end - begin)).transpose() * x.leftCols(index(end));
  const auto inputs = static_cast<size_t>(x.cols());
  for (size_t i = begin; i < end; ++i) {
    for (size_t j = 0; j <= i; ++j) to[i * inputs + j] += static_cast<double>(products(index(i - begin), index(j)));
  }
}

}  // namespace

RidgeSums::RidgeSums(size_t inputs, size_t outputs)
    : inputs_(inputs),
      outputs_(outputs),
      x_(inputs),
      y_(outputs),
      xx_(inputs * inputs),
      xy_(inputs * outputs),
      yy_(outputs) {}

void RidgeSums::add(std::span<const float> x, std::span<const float> y) {
  const size_t rows = x.size() / inputs_;
  check(rows * inputs_ == x.size() && rows * outputs_ == y.size(), "ridge: x and y have as many rows");
  if (rows == 0) return;
  const RowsOf xs(x.data(), index(rows), index(inputs_));
  const RowsOf ys(y.data(), index(rows), index(outputs_));
  constexpr size_t kBlock = 64;
  const size_t blocks = (inputs_ + kBlock - 1) / kBlock;
  // Later blocks are longer: each range takes its blocks from both ends.
  parallel_ranges((blocks + 1) / 2, 1, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      const auto block = [&](size_t b) { add_squares(xs, b * kBlock, std::min((b + 1) * kBlock, inputs_), xx_); };
      block(i);
      if (blocks - 1 - i != i) block(blocks - 1 - i);
    }
  });
  const Eigen::MatrixXd products = (xs.transpose() * ys).cast<double>();
  for (size_t i = 0; i < inputs_; ++i) {
    for (size_t o = 0; o < outputs_; ++o) xy_[i * outputs_ + o] += products(index(i), index(o));
  }
  for (size_t row = 0; row < rows; ++row) {
    for (size_t i = 0; i < inputs_; ++i) x_[i] += static_cast<double>(x[row * inputs_ + i]);
    for (size_t o = 0; o < outputs_; ++o) {
      const auto value = static_cast<double>(y[row * outputs_ + o]);
      y_[o] += value;
      yy_[o] += value * value;
    }
  }
  rows_ += rows;
}

void RidgeSums::add(const RidgeSums& other) {
  check(inputs_ == other.inputs_ && outputs_ == other.outputs_, "ridge: sums are of one shape");
  const auto plus = [](std::vector<double>& to, const std::vector<double>& from) {
    std::transform(to.begin(), to.end(), from.begin(), to.begin(), std::plus());
  };
  plus(x_, other.x_);
  plus(y_, other.y_);
  plus(xx_, other.xx_);
  plus(xy_, other.xy_);
  plus(yy_, other.yy_);
  rows_ += other.rows_;
}

LinearMap solve_ridge(const RidgeSums& sums, double lambda) {
  check(sums.rows_ > 0 && lambda > 0, "ridge: some rows, and a lambda above 0");
  const auto rows = static_cast<double>(sums.rows_);
  const Eigen::Index inputs = index(sums.inputs_);
  const Eigen::Index outputs = index(sums.outputs_);
  const Eigen::VectorXd mean_x = Column(sums.x_.data(), inputs) / rows;
  const Eigen::VectorXd mean_y = Column(sums.y_.data(), outputs) / rows;
  Eigen::MatrixXd gram = Square(sums.xx_.data(), inputs, inputs) / rows - mean_x * mean_x.transpose();
  Eigen::MatrixXd cross = Square(sums.xy_.data(), inputs, outputs) / rows - mean_x * mean_y.transpose();
  // What rounding leaves of the variance of a constant is none.
  constexpr double kLeastVariance = 1e-9;
  Eigen::VectorXd inverse(inputs);
  for (Eigen::Index i = 0; i < inputs; ++i) {
    const double variance = gram(i, i);
    inverse(i) = variance > kLeastVariance * (1 + mean_x(i) * mean_x(i)) ? 1 / std::sqrt(variance) : 0;
  }
  gram = inverse.asDiagonal() * gram * inverse.asDiagonal();
  cross = inverse.asDiagonal() * cross;
  gram.diagonal().array() += lambda;
  const Eigen::MatrixXd weights = inverse.asDiagonal() * gram.selfadjointView<Eigen::Lower>().llt().solve(cross);

  LinearMap map{sums.inputs_, sums.outputs_, std::vector<double>(sums.inputs_ * sums.outputs_), {}};
  for (Eigen::Index o = 0; o < outputs; ++o) {
    for (Eigen::Index i = 0; i < inputs; ++i)
      map.weights[static_cast<size_t>(o) * sums.inputs_ + static_cast<size_t>(i)] = weights(i, o);
    map.bias.push_back(mean_y(o) - weights.col(o).dot(mean_x));
  }
  return map;
}

void FitSums::add(const LinearMap& map, const RidgeSums& sums) {
  const Eigen::Index inputs = index(sums.inputs_);
  const Square xx(sums.xx_.data(), inputs, inputs);
  const Column x(sums.x_.data(), inputs);
  const auto count = static_cast<double>(sums.rows_);
  for (size_t o = 0; o < sums.outputs_; ++o) {
    const Column w(map.weights.data() + o * sums.inputs_, inputs);
    const double b = map.bias[o];
    const double wx = w.dot(x);
    const double wxxw = w.dot(xx.selfadjointView<Eigen::Lower>() * w);
    double wxy = 0;
    for (size_t i = 0; i < sums.inputs_; ++i) wxy += w(index(i)) * sums.xy_[i * sums.outputs_ + o];
    rows += count;
    y += sums.y_[o];
    yy += sums.yy_[o];
    p += wx + b * count;
    pp += wxxw + 2 * b * wx + b * b * count;
    yp += wxy + b * sums.y_[o];
  }
}

double FitSums::squared_error() const { return rows > 0 ? (yy - 2 * yp + pp) / rows : 0; }

double FitSums::correlation() const {
  if (rows == 0) return 0;
  const double of_y = yy / rows - y * y / rows / rows;
  const double of_p = pp / rows - p * p / rows / rows;
  const double together = yp / rows - y * p / rows / rows;
  return of_y > 0 && of_p > 0 ? together / std::sqrt(of_y * of_p) : 0;
}

}  // namespace kvzip
