// Streaming on every backend against streaming on the CPU in f32: a tiny model reads, scores and cuts the same
// document, by repetition and by a gate, and keeps the same pairs but for those that are nearly equal.
#include <algorithm>
#include <random>
#include <set>

#include "kvzip/kvzip.h"
#include "tests/conformance/device_data.h"
#include "tests/tiny_documents.h"

namespace kvzip::conformance {
namespace {

constexpr size_t kSystem = 5;
constexpr size_t kChunk = 150;  // enough queries for a GPU's kernels for many
constexpr double kRatio = 0.3;

class StreamingConformance : public BackendTest {
 protected:
  static Model load(Backend& backend) { return Model::load(KVZIP_SOURCE_DIR "/tests/golden/tiny/llama", backend); }

  static GateWeights random_gate(const Model& model) {
    std::mt19937 random(4);
    std::normal_distribution<float> normal;
    GateWeights gate{gate_layers(model).size(), model.config().kv_heads, model.config().hidden, {}, {}};
    gate.weights.resize(gate.layers * gate.kv_heads * gate.hidden);
    gate.bias.resize(gate.layers * gate.kv_heads);
    for (float& value : gate.weights) value = normal(random) / std::sqrt(static_cast<float>(gate.hidden));
    for (float& value : gate.bias) value = -3 + normal(random);
    return gate;
  }

  /// Kept positions with their head, and how many there are.
  static std::set<std::pair<size_t, uint32_t>> kept(const Model& model, bool gated, DType kv_type) {
    const std::vector<TokenId> document = some_tokens(5 * kChunk + 77, 7);
    std::vector<RepeatInput> inputs = inputs_for(document, kChunk);
    std::optional<Gate> gate;
    if (gated) gate.emplace(model, random_gate(model));
    const Streamed streamed = stream_ids(
        model, some_tokens(kSystem, 3), document,
        {.ratio = kRatio, .kv_type = kv_type, .chunk = kChunk, .gate = gate ? &*gate : nullptr, .inputs = &inputs});
    std::set<std::pair<size_t, uint32_t>> pairs;
    const size_t heads = streamed.context.shape().kv_heads;
    for (size_t i = 0; i < streamed.context.held().rows.size(); ++i) {
      for (const uint32_t position : streamed.context.order(i / heads, i % heads)) pairs.emplace(i, position);
    }
    return pairs;
  }

  void expect_the_same(bool gated) {
    const auto cpu = make_cpu_backend();
    cpu->set_precision(Precision::exact);
    const auto expected = kept(load(*cpu), gated, DType::f32);
    const auto found = kept(load(*backend_), gated, is_exact() ? DType::f32 : DType::f16);
    const auto common = std::ranges::count_if(expected, [&](const auto& pair) { return found.contains(pair); });
    const double share = static_cast<double>(common) / static_cast<double>(std::max(expected.size(), found.size()));
    RecordProperty("common", std::to_string(share));
    EXPECT_GE(share, is_exact() ? 0.99 : 0.9) << common << " of " << expected.size() << " and " << found.size();
    EXPECT_GT(expected.size(), 1000U);
  }
};

TEST_P(StreamingConformance, ByRepetition) { expect_the_same(false); }

TEST_P(StreamingConformance, ByAGate) { expect_the_same(true); }

INSTANTIATE_TEST_SUITE_P(Backends, StreamingConformance, testing::ValuesIn(all_cases()), case_name);

}  // namespace
}  // namespace kvzip::conformance
