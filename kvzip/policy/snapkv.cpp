// SnapKV (Li et al. 2024, "SnapKV: LLM Knows What You are Looking for Before Generation"): what the last 64 queries
// attend to. With a_q(r) the attention that query q pays to row r, a row before the window scores the mean over the
// window's queries and the group's query heads, smoothed by a mean over 5 neighbouring rows (those beyond either end
// count as 0). The window itself gets the layer's best score.
#include <algorithm>
#include <vector>

#include "kvzip/policy/scorer.h"
#include "kvzip/policy/window_shares.h"

namespace kvzip {
namespace {

constexpr size_t kWindow = 64;
constexpr size_t kPooled = 5;

/// Means over kPooled neighbours.
std::vector<float> pooled(std::span<const float> values) {
  constexpr size_t kReach = kPooled / 2;
  std::vector<float> means(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t end = std::min(values.size(), i + kReach + 1);
    float sum = 0;
    for (size_t near = i < kReach ? 0 : i - kReach; near < end; ++near) sum += values[near];
    means[i] = sum / kPooled;
  }
  return means;
}

class SnapKv final : public Scorer {
 public:
  explicit SnapKv(const ScorerSetup& setup) : shares_(setup, kWindow) {}

  size_t queries() const override { return shares_.queries(); }
  void observe(size_t layer, const LayerQueries& queries, const LayerRows& rows) override {
    shares_.observe(layer, queries, rows);
  }
  void score(size_t layer, const LayerRows& rows, std::span<float> scores) override {
    std::vector<float> before = shares_.mean(layer);
    for (size_t head = 0; head < rows.kv_heads; ++head) {
      const auto row = std::span(before).subspan(head * shares_.before(), shares_.before());
      const std::vector<float> means = pooled(row);
      std::copy(means.begin(), means.end(), row.begin());
    }
    keep_window(before, rows, scores);
  }

 private:
  WindowShares shares_;
};

}  // namespace

std::unique_ptr<Scorer> make_snapkv(const ScorerSetup& setup) { return std::make_unique<SnapKv>(setup); }

}  // namespace kvzip
