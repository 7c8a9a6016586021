// Recorded operations against the same ones done at once, alone and as the tokens of a model.
#include <cstring>

#include "kvzip/model/random_weights.h"
#include "kvzip/model/shapes.h"
#include "kvzip/model/token_steps.h"
#include "tests/conformance/device_data.h"

namespace kvzip::conformance {
namespace {

class RecordingConformance : public BackendTest {
 protected:
  /// A model of few layers and tokens, of the shape otherwise. Sliding layers see 40 rows.
  Model small_model(std::string_view shape) const {
    ModelFiles files;
    files.config = shape_config(shape, 4096);
    files.config.layers = files.config.own_kv_layers = 3;
    files.config.windows.resize(3);
    for (size_t& window : files.config.windows) window = window == 0 ? 0 : 40;
    files.config.vocab = 500;
    files.weights = std::make_unique<RandomWeights>(files.config);
    return Model::from_files(std::move(files), *backend_,
                             {.weights = is_exact() ? WeightMode::f32 : WeightMode::stored});
  }
  std::vector<TokenId> ids(size_t count) {
    std::vector<TokenId> ids(count);
    for (TokenId& id : ids) id = static_cast<TokenId>(random_.between(0, 499));
    return ids;
  }
  std::vector<float> values_of(const ConstView& logits) const {
    std::vector<float> values(logits.cols);
    backend_->download(values.data(), logits.data, values.size() * sizeof(float));
    return values;
  }
};

TEST_P(RecordingConformance, AreDoneWhenReplayed) {
  const std::unique_ptr<Recording> recording = backend_->make_recording();
  if (recording == nullptr) GTEST_SKIP() << "nothing to gain from it";
  const TestMatrix weight(1, 64, 0, random_);
  const DeviceBytes weights(*backend_, weight.values);
  const auto norm = [&](const DeviceMatrix& x, const DeviceMatrix& out) {
    backend_->rms_norm(x.view(), static_cast<const float*>(weights.data()), 1e-3F, out.view());
  };
  for (const size_t rows : {1, 2, 2, 5}) {  // other addresses, other grids
    const DeviceMatrix x(*backend_, DType::f32, rows, 64, 8, random_);
    DeviceMatrix at_once(*backend_, activations(), rows, 64, 8, random_);
    DeviceMatrix replayed(*backend_, activations(), TestMatrix(at_once.host));
    norm(x, at_once);
    ASSERT_TRUE(recording->record([&] { norm(x, replayed); }));
    const std::vector<float> before = replayed.host.values;
    replayed.read();
    ASSERT_EQ(replayed.host.values, before) << "done while it was recorded";
    recording->replay();
    replayed.read();
    at_once.read();
    EXPECT_EQ(replayed.host.values, at_once.host.values);
  }
  const DeviceMatrix x(*backend_, DType::f32, 1, 64, 8, random_);
  DeviceMatrix sum(*backend_, DType::f32, 1, 64, 8, random_);
  const std::vector<float> one = sum.host.values;
  ASSERT_TRUE(recording->record([&] {  // more kernels than before
    backend_->add(sum.view(), x.view());
    backend_->add(sum.view(), x.view());
  }));
  recording->replay();
  recording->replay();
  sum.read();
  for (size_t i = 0; i < 64; ++i) ASSERT_NEAR(sum.host.values[i], one[i] + 4 * x.host.values[i], 1e-4);
  EXPECT_FALSE(recording->record([&] { backend_->synchronize(); }));
}

TEST_P(RecordingConformance, OfTokensGiveTheLogitsOfTokensRunAtOnce) {
  for (const std::string_view shape : {"smollm2", "qwen3-0.6b", "gemma3-1b"}) {
    SCOPED_TRACE(shape);
    const Model model = small_model(shape);
    const CacheShape cache = model.cache_shape(is_exact() ? DType::f32 : DType::bf16);
    Tail document(*backend_, cache, 0), at_once(*backend_, cache, 90), replayed(*backend_, cache, 90);
    Forward reader(model), plain(model), recorded(model);
    size_t replays = 0;  // of all tokens but the first behind a question
    const std::vector<TokenId> text = ids(90);
    reader.run({.tokens = text, .tail = &document});
    const PastFn past = [&](size_t layer, std::vector<Segment>& segments) {
      segments.push_back(document.segment(layer));
    };
    for (const size_t answer : {270, 30}) {  // tails grow at 256 rows, and sliding ones move theirs
      const std::vector<TokenId> question = ids(7);
      plain.run({.tokens = question, .tail = &at_once, .past = past});
      recorded.run({.tokens = question, .tail = &replayed, .past = past});
      TokenSteps steps(recorded, replayed, past);
      replays += answer - 1;
      for (const TokenId id : ids(answer)) {
        const auto found = values_of(steps.next(id));
        const auto expected = values_of(
            plain.run_on_device({.tokens = {&id, 1}, .tail = &at_once, .past = past, .logits = Logits::last}));
        ASSERT_EQ(found, expected) << "position " << at_once.end_position();
        ASSERT_EQ(replayed.end_position(), at_once.end_position());
      }
    }
    at_once = Tail(*backend_, cache, 90);  // the next conversation has other memory
    replayed = Tail(*backend_, cache, 90);
    TokenSteps steps(recorded, replayed, past);
    for (const TokenId id : ids(3)) {
      ASSERT_EQ(
          values_of(steps.next(id)),
          values_of(plain.run_on_device({.tokens = {&id, 1}, .tail = &at_once, .past = past, .logits = Logits::last})));
    }
    replays += 2;
    const bool records = backend_->make_recording() != nullptr;
    // In f32 products are cuBLASLt's, which need more than kernels.
    EXPECT_EQ(recorded.replays().given_up, records && is_exact());
    EXPECT_EQ(recorded.replays().tokens, records && !is_exact() ? replays : 0);
    EXPECT_EQ(plain.replays().tokens, 0U);
  }
}

INSTANTIATE_TEST_SUITE_P(, RecordingConformance, testing::ValuesIn(all_cases()), case_name);

}  // namespace
}  // namespace kvzip::conformance
