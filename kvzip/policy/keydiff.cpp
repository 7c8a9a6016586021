// KeyDiff (Park et al. 2025, "KeyDiff: Key Similarity-Based KV Cache Eviction for Long-Context LLM Inference in
// Resource-Constrained Environments"): keys that differ from the others matter. Per head, with the mean m of all keys'
// directions k/|k|, a pair scores 1 - cos(k, m), which ranks as the paper's -cos(k, m) does.
#include <algorithm>
#include <vector>

#include "kvzip/policy/scorer.h"
#include "kvzip/policy/vectors.h"

namespace kvzip {
namespace {

// Stands for the norm of vectors that have none.
constexpr float kLeastNorm = 1e-8F;

class KeyDiff final : public Scorer {
 public:
  void score(size_t /*layer*/, const LayerRows& rows, std::span<float> scores) override {
    for (size_t head = 0; head < rows.kv_heads; ++head) {
      const std::vector<float> mean = mean_direction(rows, head);
      const float length = std::max(norm(mean.data(), rows.head_dim), kLeastNorm);
      for (size_t row = 0; row < rows.rows; ++row) {
        const float* key = rows.key(head, row);
        const float key_length = std::max(norm(key, rows.head_dim), kLeastNorm);
        const float cosine = dot(key, mean.data(), rows.head_dim) / (key_length * length);
        scores[head * rows.rows + row] = std::max(1 - cosine, 0.0F);
      }
    }
  }

 private:
  static std::vector<float> mean_direction(const LayerRows& rows, size_t head) {
    std::vector<float> mean(rows.head_dim);
    for (size_t row = 0; row < rows.rows; ++row) {
      const float* key = rows.key(head, row);
      const float weight = 1 / (std::max(norm(key, rows.head_dim), kLeastNorm) * static_cast<float>(rows.rows));
      for (size_t d = 0; d < rows.head_dim; ++d) mean[d] += weight * key[d];
    }
    return mean;
  }
};

}  // namespace

std::unique_ptr<Scorer> make_keydiff(const ScorerSetup& /*setup*/) { return std::make_unique<KeyDiff>(); }

}  // namespace kvzip
