// StreamingLLM (Xiao et al. 2024, "Efficient Streaming Language Models with Attention Sinks"): the first four rows of
// all, on which attention rests whatever they say, and the most recent ones.
#include <algorithm>

#include "kvzip/policy/scorer.h"

namespace kvzip {
namespace {

constexpr size_t kFirstRows = 4;

class StreamingLlm final : public Scorer {
 public:
  void score(size_t /*layer*/, const LayerRows& rows, std::span<float> scores) override {
    for (size_t head = 0; head < rows.kv_heads; ++head) {
      for (size_t row = 0; row < rows.rows; ++row) {
        scores[head * rows.rows + row] =
            row < kFirstRows ? 1 : static_cast<float>(row) / static_cast<float>(rows.rows);  // later is better
      }
    }
  }
};

}  // namespace

std::unique_ptr<Scorer> make_streaming_llm(const ScorerSetup& /*setup*/) { return std::make_unique<StreamingLlm>(); }

}  // namespace kvzip
