// Heavy hitters (Zhang et al. 2023, "H2O: Heavy-Hitter Oracle for Efficient Generative Inference of Large Language
// Models"): the attention that a row got while the document was read. Summed over all queries and averaged over the
// group's query heads, divided by the number of queries that could see the row; H2O's plain sums favour early rows.
#include <algorithm>
#include <vector>

#include "kvzip/base/parallel.h"
#include "kvzip/policy/attention_shares.h"
#include "kvzip/policy/scorer.h"

namespace kvzip {
namespace {

class HeavyHitters final : public Scorer {
 public:
  explicit HeavyHitters(const ScorerSetup& setup)
      : scale_(setup.config->attention_scale),
        sums_(setup.layers, std::vector<float>(setup.config->heads * setup.rows)) {}

  size_t queries() const override { return kAllQueries; }

  void observe(size_t layer, const LayerQueries& queries, const LayerRows& rows) override {
    const size_t group = queries.heads / rows.kv_heads;
    parallel_ranges(queries.heads, 1, [&](size_t begin, size_t end) {
      std::vector<float> shares;
      for (size_t head = begin; head < end; ++head) {
        float* const sums = sums_[layer].data() + head * rows.rows;
        for (size_t query = 0; query < queries.count; ++query) {
          shares.resize(queries.first_row + query + 1);
          attention_shares(rows, head / group, queries.at(query, head), scale_, shares);
          for (size_t row = 0; row < shares.size(); ++row) sums[row] += shares[row];
        }
      }
    });
  }

  void score(size_t layer, const LayerRows& rows, std::span<float> scores) override {
    const size_t group = sums_[layer].size() / scores.size();
    for (size_t head = 0; head < rows.kv_heads; ++head) {
      for (size_t row = 0; row < rows.rows; ++row) {
        float sum = 0;
        for (size_t g = 0; g < group; ++g) sum += sums_[layer][(head * group + g) * rows.rows + row];
        scores[head * rows.rows + row] = sum / static_cast<float>(group * (rows.rows - row));
      }
    }
  }

 private:
  float scale_;
  std::vector<std::vector<float>> sums_;  // per scored layer, [heads, rows]
};

}  // namespace

std::unique_ptr<Scorer> make_h2o(const ScorerSetup& setup) { return std::make_unique<HeavyHitters>(setup); }

}  // namespace kvzip
