// Expected attention (Devoto, Jeblick, Jegou 2025, "Expected Attention: KV Cache Compression by Estimating Attention
// from Future Queries Distribution"): the attention that queries to come will pay, if they are distributed as the
// document's were. Per query head, with mean m and covariance C of the document's queries before their rotation, and R
// the mean of the rotations of the 512 positions to come:
//
//   z(k) = s (R m).k + s^2/2 k'(R C R')k          the mean of exp(s q.k) is exp(z(k)) for normal q
//
// A row scores softmax(z), averaged over the group's query heads, times |v|. The first 4 rows of all, which attract
// attention as sinks do, are left out of means and softmax and get the layer's best score.
#include <algorithm>
#include <cmath>
#include <vector>

#include "kvzip/base/parallel.h"
#include "kvzip/policy/scorer.h"
#include "kvzip/policy/vectors.h"

namespace kvzip {
namespace {

constexpr size_t kSinks = 4;
constexpr size_t kFuture = 512;

/// What RoPE does to a head's values, in host memory.
class Rotation {
 public:
  explicit Rotation(const ModelConfig& config)
      : rope_(config.rope.dims > 0 ? make_rope(config.rope) : Rope{}), pairing_(config.rope_pairing) {}

  /// Values of a table for `count` positions, `[count, 2 * pairs]`: cosines, then sines.
  std::vector<float> table(size_t first_position, size_t count) const {
    std::vector<float> angles(count * 2 * pairs());
    fill_cos_sin(rope_, first_position, count, angles.data());
    return angles;
  }
  size_t pairs() const { return rope_.frequencies.size(); }

  /// Turns each pair by its cosine and sine times `direction`.
  template <class T>
  void turn(T* x, const float* angles, float direction) const {
    for (size_t pair = 0; pair < pairs(); ++pair) {
      const bool halves = pairing_ == RopePairing::halves;
      T& a = x[halves ? pair : 2 * pair];
      T& b = x[halves ? pair + pairs() : 2 * pair + 1];
      const T cosine = angles[pair], sine = direction * angles[pairs() + pair];
      const T turned = a * cosine - b * sine;
      b = b * cosine + a * sine;
      a = turned;
    }
  }
  /// Undoes turn(x, angles, 1).
  void turn_back(float* x, const float* angles, size_t dims) const {
    turn(x, angles, -1);
    // The table's values are cosines and sines times the magnitude.
    for (size_t d = 0; d < std::min(dims, 2 * pairs()); ++d) x[d] /= rope_.magnitude * rope_.magnitude;
  }

 private:
  Rope rope_;
  RopePairing pairing_;
};

/// Sums over the queries of one head.
struct Moments {
  size_t count = 0;
  std::vector<double> sum;       // [dim]
  std::vector<double> products;  // [dim, dim]

  void add(const float* query, size_t dim) {
    ++count;
    for (size_t i = 0; i < dim; ++i) {
      sum[i] += query[i];
      for (size_t j = 0; j < dim; ++j) products[i * dim + j] += static_cast<double>(query[i]) * query[j];
    }
  }
};

/// Of queries to come.
struct Expected {
  std::vector<float> mean;        // [dim]
  std::vector<float> covariance;  // [dim, dim]
};

class ExpectedAttention final : public Scorer {
 public:
  explicit ExpectedAttention(const ScorerSetup& setup)
      : config_(*setup.config),
        rotation_(config_),
        moments_(setup.layers * config_.heads),
        future_(mean_angles(setup.rows)) {
    const size_t dim = config_.head_dim;
    for (Moments& head : moments_) head = {0, std::vector<double>(dim), std::vector<double>(dim * dim)};
  }

  size_t queries() const override { return kAllQueries; }

  void observe(size_t layer, const LayerQueries& queries, const LayerRows& /*rows*/) override {
    const std::vector<float> angles = rotation_.table(queries.first_row, queries.count);
    const size_t dim = config_.head_dim;
    parallel_ranges(queries.heads, 1, [&](size_t begin, size_t end) {
      std::vector<float> query(dim);
      for (size_t head = begin; head < end; ++head) {
        for (size_t i = 0; i < queries.count; ++i) {
          if (queries.first_row + i < kSinks) continue;
          std::copy_n(queries.at(i, head), dim, query.begin());
          rotation_.turn_back(query.data(), angles.data() + i * 2 * rotation_.pairs(), dim);
          moments_[layer * config_.heads + head].add(query.data(), dim);
        }
      }
    });
  }

  void score(size_t layer, const LayerRows& rows, std::span<float> scores) override {
    const size_t sinks = std::min(kSinks, rows.rows);
    parallel_ranges(rows.kv_heads, 1, [&](size_t begin, size_t end) {
      for (size_t head = begin; head < end; ++head)
        score_head(layer, head, rows, scores.subspan(head * rows.rows, rows.rows));
    });
    const float best = *std::max_element(scores.begin(), scores.end());
    for (size_t head = 0; head < rows.kv_heads; ++head) {
      std::fill_n(scores.begin() + static_cast<std::ptrdiff_t>(head * rows.rows), sinks, best);
    }
  }

 private:
  /// The mean rotation of the positions after `rows`, which turns and shortens every pair.
  std::vector<float> mean_angles(size_t rows) const {
    const std::vector<float> table = rotation_.table(rows, kFuture);
    std::vector<float> mean(2 * rotation_.pairs());
    for (size_t i = 0; i < table.size(); ++i) mean[i % mean.size()] += table[i] / kFuture;
    return mean;
  }

  Expected expected(const Moments& of) const {
    const size_t dim = config_.head_dim;
    const auto count = static_cast<double>(std::max<size_t>(of.count, 1));
    std::vector<double> mean(dim);
    std::vector<double> covariance(dim * dim);
    for (size_t i = 0; i < dim; ++i) mean[i] = of.sum[i] / count;
    for (size_t i = 0; i < dim * dim; ++i) {
      covariance[i] = of.products[i] / count - mean[i / dim] * mean[i % dim];
    }
    rotation_.turn(mean.data(), future_.data(), 1);
    for (const int side : {0, 1}) {  // R C R': all rows, then all columns
      static_cast<void>(side);
      for (size_t i = 0; i < dim; ++i) rotation_.turn(covariance.data() + i * dim, future_.data(), 1);
      for (size_t i = 0; i < dim; ++i) {
        for (size_t j = 0; j < i; ++j) std::swap(covariance[i * dim + j], covariance[j * dim + i]);
      }
    }
    return {{mean.begin(), mean.end()}, {covariance.begin(), covariance.end()}};
  }

  void score_head(size_t layer, size_t head, const LayerRows& rows, std::span<float> scores) const {
    const size_t group = config_.heads / rows.kv_heads;
    std::fill(scores.begin(), scores.end(), 0.0F);
    std::vector<float> shares(rows.rows);
    for (size_t g = 0; g < group; ++g) {
      const Expected query = expected(moments_[layer * config_.heads + head * group + g]);
      float highest = -INFINITY;
      for (size_t row = kSinks; row < rows.rows; ++row) {
        shares[row] = logit(query, rows.key(head, row));
        highest = std::max(highest, shares[row]);
      }
      float sum = 0;
      for (size_t row = kSinks; row < rows.rows; ++row) sum += shares[row] = std::exp(shares[row] - highest);
      for (size_t row = kSinks; row < rows.rows; ++row) scores[row] += shares[row] / (sum * static_cast<float>(group));
    }
    for (size_t row = kSinks; row < rows.rows; ++row) scores[row] *= norm(rows.value(head, row), rows.head_dim);
  }

  float logit(const Expected& query, const float* key) const {
    const size_t dim = config_.head_dim;
    const float scale = config_.attention_scale;
    float variance = 0;
    for (size_t i = 0; i < dim; ++i) variance += key[i] * dot(query.covariance.data() + i * dim, key, dim);
    return scale * dot(query.mean.data(), key, dim) + scale * scale / 2 * variance;
  }

  const ModelConfig& config_;
  Rotation rotation_;
  std::vector<Moments> moments_;  // [scored layers, heads]
  std::vector<float> future_;     // mean cosines, then mean sines
};

}  // namespace

std::unique_ptr<Scorer> make_expected_attention(const ScorerSetup& setup) {
  return std::make_unique<ExpectedAttention>(setup);
}

}  // namespace kvzip
