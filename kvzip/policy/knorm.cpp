// Key norms (Devoto et al. 2024, "A Simple and Effective L2 Norm-Based Strategy for KV Cache Compression"): keys of a
// small norm get much attention. A pair scores 1 / (1 + |k|), which ranks as the paper's -|k| does.
#include "kvzip/policy/scorer.h"
#include "kvzip/policy/vectors.h"

namespace kvzip {
namespace {

class KeyNorm final : public Scorer {
 public:
  void score(size_t /*layer*/, const LayerRows& rows, std::span<float> scores) override {
    for (size_t i = 0; i < scores.size(); ++i)
      scores[i] = 1 / (1 + norm(rows.keys.data() + i * rows.head_dim, rows.head_dim));
  }
};

}  // namespace

std::unique_ptr<Scorer> make_knorm(const ScorerSetup& /*setup*/) { return std::make_unique<KeyNorm>(); }

}  // namespace kvzip
