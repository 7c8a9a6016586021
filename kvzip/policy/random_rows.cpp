// Chance, as the baseline of baselines: every pair gets a number of its own, drawn evenly from [0, 1).
#include <algorithm>
#include <random>

#include "kvzip/policy/scorer.h"

namespace kvzip {
namespace {

class Random final : public Scorer {
 public:
  explicit Random(uint64_t seed) : seed_(seed) {}

  /// The same whatever the order of layers, and on every machine.
  void score(size_t layer, const LayerRows& /*rows*/, std::span<float> scores) override {
    std::seed_seq seeds{seed_, seed_ >> 32U, uint64_t{layer}};
    std::mt19937 random(seeds);
    for (float& score : scores) score = static_cast<float>(random() >> 8U) * 0x1p-24F;
  }

 private:
  uint64_t seed_;
};

}  // namespace

std::unique_ptr<Scorer> make_random(const ScorerSetup& setup) { return std::make_unique<Random>(setup.seed); }

}  // namespace kvzip
