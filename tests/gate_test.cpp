// Gates on tiny models: their scores against plain loops over a plain pass, reading and streaming with them, learning
// one that is known, and their files.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <random>

#include "kvzip/kvzip.h"
#include "kvzip/learn/gate_file.h"
#include "kvzip/learn/gate_learner.h"
#include "kvzip/learn/ridge.h"
#include "kvzip/model/safetensors_write.h"
#include "kvzip/policy/kept_pairs.h"
#include "tests/test_paths.h"

namespace kvzip {
namespace {

constexpr size_t kSystem = 5;

std::vector<TokenId> some_tokens(size_t count, size_t step) {
  std::vector<TokenId> ids(count);
  for (size_t i = 0; i < count; ++i) ids[i] = static_cast<TokenId>((11 + i * i * step + i / 3) % 251);
  return ids;
}

GateWeights random_gate(const Model& model, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  GateWeights gate{gate_layers(model).size(), model.config().kv_heads, model.config().hidden, {}, {}};
  for (size_t i = 0; i < gate.layers * gate.kv_heads * gate.hidden; ++i)
    gate.weights.push_back(0.2F * normal(random) / std::sqrt(static_cast<float>(gate.hidden)));
  for (size_t i = 0; i < gate.layers * gate.kv_heads; ++i) gate.bias.push_back(-3 + normal(random));
  return gate;
}

class GateTest : public testing::TestWithParam<const char*> {
 protected:
  GateTest() { backend_->set_precision(Precision::exact); }

  const Model& model() {
    if (!model_) model_ = load(GetParam());
    return *model_;
  }
  Model load(const std::string& name) { return Model::load(KVZIP_SOURCE_DIR "/tests/golden/tiny/" + name, *backend_); }
  Reading read(const std::vector<TokenId>& document, const ObserveFn& observe = {}) {
    return prefill_ids(model(), some_tokens(kSystem, 3), document,
                       {.kv_type = DType::f32, .batch = 16, .progress = {}, .observe = observe});
  }

  std::unique_ptr<Backend> backend_ = make_cpu_backend();
  std::optional<Model> model_;
};

std::vector<float> plain(const Model& model, const float* vector, size_t count) {
  std::vector<float> values(count);
  if (vector != nullptr) model.backend().download(values.data(), vector, count * sizeof(float));
  return values;
}

TEST_P(GateTest, ScoresAreTheMapOfWhatEntersEachLayer) {
  const ModelConfig& config = model().config();
  const GateWeights weights = random_gate(model(), 1);
  const Gate gate(model(), weights);
  const std::vector<TokenId> document = some_tokens(43, 7);
  GateScores collected(gate, kSystem, document.size());
  read(document, collected.observe());
  const Scores scores = collected.take();

  std::map<size_t, std::vector<float>> hidden;
  read(document, [&](const LayerInput& input) {
    const auto* rows = static_cast<const float*>(input.hidden.data);
    hidden[input.layer].insert(hidden[input.layer].end(), rows, rows + input.hidden.rows * input.hidden.cols);
  });
  const std::vector<size_t> layers = gate_layers(model());
  ASSERT_EQ(scores.layers, layers.size());
  for (size_t scored = 0; scored < layers.size(); ++scored) {
    const NormWeights& norm = model().weights().layers[layers[scored]].attention_norm;
    const std::vector<float> gain = plain(model(), norm.weight, config.hidden),
                             shift = plain(model(), norm.bias, config.hidden);
    for (size_t row = 0; row < document.size(); ++row) {
      const float* x = hidden.at(layers[scored]).data() + (kSystem + row) * config.hidden;
      double mean = 0, squares = 0;
      for (size_t i = 0; i < config.hidden && config.arch->layer_norm; ++i)
        mean += x[i] / static_cast<double>(config.hidden);
      for (size_t i = 0; i < config.hidden; ++i)
        squares += std::pow(x[i] - mean, 2) / static_cast<double>(config.hidden);
      for (size_t head = 0; head < config.kv_heads; ++head) {
        double log = weights.bias[scored * config.kv_heads + head];
        for (size_t i = 0; i < config.hidden; ++i) {
          const double normed = (x[i] - mean) / std::sqrt(squares + config.norm_eps) * gain[i] + shift[i];
          log += normed * weights.weights[(scored * config.kv_heads + head) * config.hidden + i];
        }
        ASSERT_NEAR(scores.row(scored, head)[row], std::exp(log), 1e-4 * std::exp(log));
      }
    }
  }
}

TEST_P(GateTest, StreamingOfOneChunkIsReadingAndCompressing) {
  const Gate gate(model(), random_gate(model(), 2));
  const std::vector<TokenId> document = some_tokens(61, 7);
  GateScores collected(gate, kSystem, document.size());
  Reading reading = read(document, collected.observe());
  const Context expected = compress(model(), std::move(reading), collected.take(), 0.3);
  const std::vector<RepeatInput> one = {{.begin = 0, .len = document.size(), .ids = {}}};
  const Streamed streamed =
      stream_ids(model(), some_tokens(kSystem, 3), document,
                 {.ratio = 0.3, .kv_type = DType::f32, .batch = 16, .gate = &gate, .inputs = &one, .progress = {}});
  EXPECT_EQ(streamed.context.held().rows, expected.held().rows);
  for (size_t i = 0; i < expected.held().rows.size(); ++i) {
    const size_t heads = expected.shape().kv_heads;
    const auto ours = streamed.context.order(i / heads, i % heads), theirs = expected.order(i / heads, i % heads);
    EXPECT_TRUE(std::equal(ours.begin(), ours.end(), theirs.begin(), theirs.end()));
  }
}

TEST_P(GateTest, StreamingRepeatsNothing) {
  const Gate gate(model(), random_gate(model(), 3));
  const std::vector<TokenId> document = some_tokens(100, 7);
  std::vector<RepeatInput> chunks;
  for (size_t begin = 0; begin < document.size(); begin += 25) chunks.push_back({.begin = begin, .len = 25, .ids = {}});
  size_t total = 0, done = 0;
  const Streamed streamed = stream_ids(model(), some_tokens(kSystem, 3), document,
                                       {.ratio = 0.2,
                                        .kv_type = DType::f32,
                                        .chunk = 25,
                                        .gate = &gate,
                                        .inputs = &chunks,
                                        .progress = [&](const Progress& at) {
                                          total = at.total;
                                          done = at.done;
                                          return true;
                                        }});
  EXPECT_EQ(total, kSystem + document.size());
  EXPECT_EQ(done, total);
  EXPECT_NEAR(streamed.context.held().ratio(), 0.2, 0.01);
  EXPECT_EQ(streamed.context.read_tokens(), kSystem + document.size());
}

TEST_P(GateTest, LearnsAGateFromItsScores) {
  const GateWeights planted = random_gate(model(), 4);
  const Gate gate(model(), planted);
  GateLearner learner(model());
  const size_t most = std::min<size_t>(model().config().context_length - 140, 700);
  for (const size_t step : {3U, 5U, 11U}) {
    const std::vector<TokenId> document = some_tokens(most, step);
    GateScores collected(gate, kSystem, document.size());
    const Reading reading = read(document, collected.observe());
    learner.add(reading, collected.take(), 50, {});
  }
  const LearnedGate learned = learner.solve();
  EXPECT_EQ(learned.rows, 3 * most);
  EXPECT_TRUE(learned.weights.fits(model()));
  EXPECT_GT(learned.correlation, 0.98);
  // On a document that it hasn't seen.
  const std::vector<TokenId> document = some_tokens(90, 29);
  const Gate ours(model(), learned.weights);
  GateScores expected(gate, kSystem, document.size()), found(ours, kSystem, document.size());
  read(document, expected.observe());
  read(document, found.observe());
  const Scores a = expected.take(), b = found.take();
  const auto kept = [](const Scores& by) { return kept_mask(by, select(by, Level::pair, 0.3).keep); };
  EXPECT_GT(share_in_common(kept(b), kept(a)), 0.95);
}

// The regression itself is ridge_test's.
TEST_P(GateTest, LearnsSquashedLogarithms) {
  const size_t width = model().config().hidden, heads = model().config().kv_heads;
  const std::vector<size_t> layers = gate_layers(model());
  std::vector<RidgeSums> sums(layers.size(), RidgeSums(width, heads));
  GateLearner learner(model());
  double middles = 0;
  std::mt19937 random(8);
  for (const size_t step : {3U, 5U, 7U}) {
    const std::vector<TokenId> document = some_tokens(243, step);
    Scores scores(layers.size(), heads, document.size());
    for (float& score : scores.values)
      score = std::exp(std::uniform_real_distribution<float>(-15 - static_cast<float>(step), 0)(random));
    learner.add(read(document), scores, 64, {});
    std::vector<float> sorted = scores.values;
    std::ranges::sort(sorted, std::greater());
    const double middle = std::log(sorted[sorted.size() * 3 / 10]);
    middles += middle / 3;
    read(document, [&](const LayerInput& input) {
      const auto found = std::ranges::find(layers, input.layer);
      if (found == layers.end()) return;
      const auto scored = static_cast<size_t>(found - layers.begin());
      const Tensor normed(*backend_, DType::f32, input.hidden.rows, width);
      attention_norm(model(), input.layer).apply(*backend_, input.hidden, normed.view());
      const auto* const x = static_cast<const float*>(normed.view().data);
      for (size_t row = 0; row < input.hidden.rows; ++row) {
        if (input.first_position + row < kSystem) continue;
        std::vector<float> y;
        for (size_t head = 0; head < heads; ++head) {
          const double log = std::log(std::max(scores.row(scored, head)[input.first_position + row - kSystem], 1e-6F));
          y.push_back(static_cast<float>(4 * std::tanh((log - middle) / 4)));
        }
        sums[scored].add(std::span(x + row * width, width), y);
      }
    });
  }
  const LearnedGate learned = learner.solve();
  for (size_t scored = 0; scored < layers.size(); ++scored) {
    const LinearMap map = solve_ridge(sums[scored], learned.lambda);
    for (size_t i = 0; i < heads * width; ++i) {
      ASSERT_NEAR(learned.weights.weights[scored * heads * width + i], map.weights[i],
                  2e-3 + 1e-2 * std::abs(map.weights[i]));
    }
    for (size_t head = 0; head < heads; ++head) {
      const double bias = middles + map.bias[head];
      ASSERT_NEAR(learned.weights.bias[scored * heads + head], bias, 2e-2 * (1 + std::abs(bias)));
    }
  }
}

TEST_P(GateTest, LearningCanBeCancelledAndNeedsSomeRows) {
  GateLearner learner(model());
  EXPECT_THROW(learner.solve(), Error);
  const std::vector<TokenId> document = some_tokens(30, 3);
  const Reading reading = read(document);
  const Scores scores(gate_layers(model()).size(), model().config().kv_heads, document.size());
  size_t reports = 0;
  EXPECT_THROW(learner.add(reading, scores, 8, [&](const Progress&) { return ++reports < 3; }), Error);
  EXPECT_EQ(reports, 3U);
}

INSTANTIATE_TEST_SUITE_P(Families, GateTest,
                         testing::Values("llama", "qwen3", "gemma3", "gpt2_scored", "swiftkv_across"),
                         [](const auto& name) { return std::string(name.param); });

class GateFiles : public testing::Test {
 protected:
  TempFolder folder_;
  std::string path_ = folder_.file("gate.safetensors");
  std::unique_ptr<Backend> backend_ = make_cpu_backend();
  Model model_ = Model::load(KVZIP_SOURCE_DIR "/tests/golden/tiny/llama", *backend_);
  GateWeights gate_ = random_gate(model_, 7);

  std::string bytes() const {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::string message_of(const Model& model) const {
    try {
      read_gate(path_, model);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
};

TEST_F(GateFiles, HoldWhatWasWritten) {
  write_gate(path_, model_, gate_, {{"tokens", "123"}});
  const GateFile file = read_gate(path_, model_);
  const auto& found = std::get<GateWeights>(file.weights);
  ASSERT_EQ(found.weights.size(), gate_.weights.size());
  for (size_t i = 0; i < gate_.weights.size(); ++i)
    EXPECT_NEAR(found.weights[i], gate_.weights[i], std::abs(gate_.weights[i]) / 1024 + 1e-7);
  EXPECT_EQ(found.bias, gate_.bias);
  EXPECT_EQ(file.notes, (GateNotes{{"tokens", "123"}}));
  EXPECT_EQ(file.hash.size(), 8U);
  gate_.bias[0] += 1;
  write_gate(path_, model_, gate_, {{"tokens", "123"}});
  EXPECT_NE(read_gate(path_, model_).hash, file.hash);
}

TEST_F(GateFiles, OfOtherModelsAreRefusedByName) {
  write_gate(path_, model_, gate_, {});
  const Model other = Model::load(KVZIP_SOURCE_DIR "/tests/golden/tiny/qwen3", *backend_);
  const std::string message = message_of(other);
  for (const FingerprintValue& each : fingerprint_of(model_)) {
    if (each.name != "architecture" && each.name != "widths") continue;  // the first two that differ
    EXPECT_NE(message.find(each.value), std::string::npos) << message;
  }
  EXPECT_NE(message.find(path_), std::string::npos);
}

TEST_F(GateFiles, DamageIsAnErrorOfOneLine) {
  write_gate(path_, model_, gate_, {});
  const std::string whole = bytes();
  std::mt19937 random(1);
  size_t refused = 0;
  for (int i = 0; i < 300; ++i) {
    std::string damaged = whole;
    if (i % 3 == 0) {
      damaged.resize(random() % whole.size());
    } else {
      // Mostly where names, shapes and fingerprints are.
      const size_t at = i % 3 == 1 ? random() % 2000 : random() % whole.size();
      damaged[std::min(at, whole.size() - 1)] ^= static_cast<char>(1U << random() % 8);
    }
    std::ofstream(path_, std::ios::binary) << damaged;
    try {
      const GateFile file = read_gate(path_, model_);
      EXPECT_TRUE(fits(file.weights, model_));
    } catch (const Error& error) {
      ++refused;
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
      EXPECT_EQ(error.code(), ErrorCode::input);
    }
  }
  EXPECT_GT(refused, 150U);
}

TEST_F(GateFiles, OtherFilesAreRefused) {
  EXPECT_NE(message_of(model_), "");  // there is none
  write_safetensors(path_, std::vector<NamedArray>{{"weights", {1}, std::span<const float>(gate_.bias).first(1)}});
  EXPECT_NE(message_of(model_).find("kvzip learn"), std::string::npos);
  gate_.bias[1] = NAN;
  write_gate(path_, model_, gate_, {});
  EXPECT_NE(message_of(model_).find("finite"), std::string::npos);
}

}  // namespace
}  // namespace kvzip
