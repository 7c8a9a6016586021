// Elementwise operations and RoPE against plain double arithmetic, through the Backend interface.
#include "kvzip/backend/cpu/elementwise.h"

#include <gtest/gtest.h>

#include "kvzip/backend/cpu/cpu_test_util.h"
#include "kvzip/base/parallel.h"

namespace kvzip {
namespace {

// Results in f32 of a handful of operations: a few roundings of 2^-24.
constexpr double kRelative = 1e-6;

void expect_close(float found, double expected, double scale) {
  ASSERT_NEAR(found, expected, kRelative * std::max(std::fabs(expected), scale));
}

class ElementwiseTest : public testing::Test {
 protected:
  void TearDown() override { set_thread_count(0); }
  /// A shape of few or many rows, with columns that no vector length divides.
  TestMatrix matrix(size_t rows, size_t cols) { return {rows, cols, random_.between(0, 3), random_}; }

  std::unique_ptr<Backend> backend_ = make_cpu_backend();
  Random random_{21};
};

TEST_F(ElementwiseTest, Add) {
  for (const size_t rows : {1, 70, 900}) {
    set_thread_count(random_.between(1, 3));
    TestMatrix x = matrix(rows, random_.between(1, 300));
    TestMatrix y = matrix(rows, x.cols);
    const TestMatrix before = x;
    backend_->add(x.view(), y.view());
    for (size_t row = 0; row < rows; ++row) {
      for (size_t i = 0; i < x.cols; ++i) ASSERT_EQ(x.at(row, i), before.at(row, i) + y.at(row, i));
    }
    EXPECT_TRUE(x.gaps_untouched());
  }
}

TEST_F(ElementwiseTest, RopeRotatesPairsAndLeavesTheRest) {
  for (const RopePairing pairing : {RopePairing::adjacent, RopePairing::halves}) {
    for (const size_t head_dim : {2, 10, 64, 80, 256}) {
      const size_t heads = random_.between(1, 9);
      const size_t pairs = random_.between(1, head_dim / 2);
      set_thread_count(random_.between(1, 3));
      TestMatrix x = matrix(random_.between(1, 150), heads * head_dim);
      TestMatrix cos_sin = matrix(x.rows, 2 * pairs);
      const TestMatrix before = x;
      backend_->rope(x.view(), head_dim, cos_sin.view(), pairing);
      for (size_t row = 0; row < x.rows; ++row) {
        for (size_t head = 0; head < heads; ++head) {
          for (size_t i = 0; i < head_dim / 2; ++i) {
            const size_t first = head * head_dim + (pairing == RopePairing::adjacent || i >= pairs ? 2 * i : i);
            const size_t second = pairing == RopePairing::adjacent || i >= pairs ? first + 1 : first + pairs;
            const double a = before.at(row, first);
            const double b = before.at(row, second);
            const double c = i < pairs ? cos_sin.at(row, i) : 1.0;
            const double s = i < pairs ? cos_sin.at(row, pairs + i) : 0.0;
            expect_close(x.at(row, first), a * c - b * s, std::fabs(a * c) + std::fabs(b * s));
            expect_close(x.at(row, second), b * c + a * s, std::fabs(b * c) + std::fabs(a * s));
          }
        }
      }
      EXPECT_TRUE(x.gaps_untouched());
    }
  }
}

}  // namespace
}  // namespace kvzip
