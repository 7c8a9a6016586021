// Ridge regression in closed form from running sums: memory doesn't grow with the number of rows. Owns its sums; one
// thread at a time (adding uses all of them).
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace kvzip {

/// y [output] = weights [output] . x + bias [output].
struct LinearMap {
  size_t inputs = 0;
  size_t outputs = 0;
  std::vector<double> weights;  ///< `[outputs, inputs]`
  std::vector<double> bias;     ///< `[outputs]`
};

/// First and second moments of rows (x, y), with x `[inputs]` and y `[outputs]`.
class RidgeSums {
 public:
  RidgeSums(size_t inputs, size_t outputs);

  /// Adds rows: x `[rows, inputs]`, y `[rows, outputs]`, both f32. Products of a call's rows are summed in f32, calls
  /// in double.
  void add(std::span<const float> x, std::span<const float> y);
  void add(const RidgeSums& other);

  size_t inputs() const { return inputs_; }
  size_t outputs() const { return outputs_; }
  size_t rows() const { return rows_; }

 private:
  friend LinearMap solve_ridge(const RidgeSums& sums, double lambda);
  friend struct FitSums;

  size_t inputs_, outputs_;
  size_t rows_ = 0;
  std::vector<double> x_, y_;    // sums of x and y
  std::vector<double> xx_, xy_;  // X'X [inputs, inputs], of which the lower part counts; X'Y [inputs, outputs]
  std::vector<double> yy_;       // of each output's squares
};

/// The map that minimises  mean over rows of |y - w.z - b|^2 + lambda |w|^2  for each output, z being x standardised to
/// mean 0 and variance 1 (inputs that don't vary get weight 0). `sums` has at least one row, lambda is above 0.
LinearMap solve_ridge(const RidgeSums& sums, double lambda);

/// How well maps predict outputs, over the rows of some sums; adds up over maps and sums.
struct FitSums {
  double rows = 0;  ///< of all outputs
  double y = 0, p = 0, yy = 0, pp = 0, yp = 0;

  void add(const LinearMap& map, const RidgeSums& sums);
  /// Mean of (y - p)^2.
  double squared_error() const;
  /// Between y and p, over everything that was added; 0 where one of them doesn't vary.
  double correlation() const;
};

}  // namespace kvzip
