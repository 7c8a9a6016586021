// TOVA (Oren et al. 2024, "Transformers are Multi-State RNNs"): what the last query attends to, averaged over all query
// heads of a layer, so that its KV heads keep the same rows. The last row itself gets the best score.
#include <algorithm>
#include <vector>

#include "kvzip/policy/scorer.h"
#include "kvzip/policy/window_shares.h"

namespace kvzip {
namespace {

class Tova final : public Scorer {
 public:
  explicit Tova(const ScorerSetup& setup) : shares_(setup, 1) {}

  size_t queries() const override { return shares_.queries(); }
  void observe(size_t layer, const LayerQueries& queries, const LayerRows& rows) override {
    shares_.observe(layer, queries, rows);
  }
  void score(size_t layer, const LayerRows& rows, std::span<float> scores) override {
    std::vector<float> before = shares_.mean(layer);
    const size_t count = shares_.before();
    for (size_t row = 0; row < count; ++row) {
      float sum = 0;
      for (size_t head = 0; head < rows.kv_heads; ++head) sum += before[head * count + row];
      for (size_t head = 0; head < rows.kv_heads; ++head) {
        before[head * count + row] = sum / static_cast<float>(rows.kv_heads);
      }
    }
    keep_window(before, rows, scores);
  }

 private:
  WindowShares shares_;
};

}  // namespace

std::unique_ptr<Scorer> make_tova(const ScorerSetup& setup) { return std::make_unique<Tova>(setup); }

}  // namespace kvzip
