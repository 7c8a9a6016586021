// Published kinds of gates with weights of our own making, on tiny models: scores against plain restatements over a
// plain pass, what is wrong with files, and scripts/convert_gate.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <numeric>
#include <random>

#include "kvzip/kvzip.h"
#include "kvzip/learn/gate_file.h"
#include "kvzip/model/safetensors_write.h"
#include "tests/cli_process.h"
#include "tests/test_paths.h"

namespace kvzip {
namespace {

constexpr size_t kSystem = 5;
constexpr size_t kDocument = 37;

using Shape = std::vector<uint64_t>;
struct Values {
  Shape shape;
  std::vector<float> values;
};
using Arrays = std::map<std::string, Values>;
using Vector = std::vector<double>;

std::vector<TokenId> some_tokens(size_t count, size_t step) {
  std::vector<TokenId> ids(count);
  for (size_t i = 0; i < count; ++i) ids[i] = static_cast<TokenId>((11 + i * i * step + i / 3) % 251);
  return ids;
}

void write(const std::string& path, const Arrays& arrays) {
  std::vector<NamedArray> named;
  for (const auto& [name, each] : arrays) named.push_back({name, each.shape, std::span<const float>(each.values)});
  write_safetensors(path, named);
}

/// Makes arrays of random values around `mean`.
class Maker {
 public:
  explicit Maker(uint32_t seed) : random_(seed) {}
  void add(const std::string& name, const Shape& shape, double spread, double mean = 0) {
    Values made{shape, {}};
    made.values.resize(std::accumulate(shape.begin(), shape.end(), size_t{1}, std::multiplies()));
    std::normal_distribution<double> normal(mean, spread);
    for (float& value : made.values) value = static_cast<float>(normal(random_));
    arrays[name] = std::move(made);
  }
  Arrays arrays;

 private:
  std::mt19937 random_;
};

Arrays linear_arrays(const ModelConfig& config, uint32_t seed) {
  Maker maker(seed);
  const double spread = 0.5 / std::sqrt(static_cast<double>(config.hidden));
  for (size_t layer = 0; layer < config.layers; ++layer) {
    maker.add(fmt::format("layers.{}.weight", layer), {config.kv_heads, config.hidden}, spread);
    maker.add(fmt::format("layers.{}.bias", layer), {config.kv_heads}, 1, -3);
  }
  return maker.arrays;
}

constexpr size_t kWidth = 19;

Arrays mlp_arrays(const ModelConfig& config, uint32_t seed) {
  Maker maker(seed);
  for (size_t layer = 0; layer < config.layers; ++layer) {
    const auto name = [&](const char* part) { return fmt::format("layers.{}.{}", layer, part); };
    maker.add(name("0.weight"), {kWidth, config.hidden}, 1 / std::sqrt(static_cast<double>(config.hidden)));
    maker.add(name("0.bias"), {kWidth}, 1);
    maker.add(name("2.weight"), {config.kv_heads, kWidth}, 0.5);
    maker.add(name("2.bias"), {config.kv_heads}, 1, -2);
  }
  return maker.arrays;
}

constexpr size_t kDim = 6;
constexpr size_t kGroup = 3;
constexpr size_t kSinks = 5;

Arrays sink_arrays(const ModelConfig& config, size_t layers, uint32_t seed) {
  Maker maker(seed);
  const size_t heads = config.kv_heads;
  for (size_t layer = 0; layer < layers; ++layer) {
    const auto name = [&](const char* part) { return fmt::format("layers.{}.{}", layer, part); };
    maker.add(name("q_proj.weight"), {heads * kGroup * kDim, config.hidden}, 0.1);
    maker.add(name("q_proj.bias"), {heads * kGroup * kDim}, 1);
    maker.add(name("k_proj.weight"), {heads * kDim, config.hidden}, 0.1);
    maker.add(name("q_norm.weight"), {kDim}, 0.3, 1);
    maker.add(name("k_norm.weight"), {kDim}, 0.3, 1);
    maker.add(name("k_base"), {heads, 1, kSinks, kDim}, 1);
    maker.add(name("b"), {heads, 1, kGroup}, 1);
  }
  return maker.arrays;
}

/// y = weight . x (+ bias).
Vector times(const Arrays& arrays, const std::string& name, const Vector& x, bool bias = true) {
  const Values& weight = arrays.at(name + ".weight");
  Vector y(weight.shape[0]);
  for (size_t o = 0; o < y.size(); ++o) {
    if (bias) y[o] = arrays.at(name + ".bias").values[o];
    for (size_t i = 0; i < x.size(); ++i) y[o] += static_cast<double>(weight.values[o * x.size() + i]) * x[i];
  }
  return y;
}

/// Scores of all heads from what enters a layer; `layer` is its number in the file.
using Rule = std::function<Vector(const Arrays& arrays, size_t layer, const Vector& x)>;

Vector exponentials(Vector logs) {
  for (double& each : logs) each = std::exp(each);
  return logs;
}

Vector linear_rule(const Arrays& arrays, size_t layer, const Vector& x) {
  return exponentials(times(arrays, fmt::format("layers.{}", layer), x));
}

Vector mlp_rule(const Arrays& arrays, size_t layer, const Vector& x) {
  Vector hidden = times(arrays, fmt::format("layers.{}.0", layer), x);
  for (double& each : hidden) each *= 0.5 * (1 + std::erf(each / std::sqrt(2.0)));
  return exponentials(times(arrays, fmt::format("layers.{}.2", layer), hidden));
}

/// Part `at` of `size` values, after an RMS norm.
Vector normed_part(const Vector& all, size_t at, const std::vector<float>& gain) {
  Vector part(all.begin() + static_cast<std::ptrdiff_t>(at * gain.size()),
              all.begin() + static_cast<std::ptrdiff_t>((at + 1) * gain.size()));
  double squares = 0;
  for (const double each : part) squares += each * each / static_cast<double>(gain.size());
  for (size_t i = 0; i < part.size(); ++i) part[i] *= gain[i] / std::sqrt(squares + 1e-6);
  return part;
}

/// The share that softmax gives a token's own key, with its offset, beside the sinks.
Vector sink_rule(const Arrays& arrays, size_t layer, const Vector& x) {
  const auto name = [&](const char* part) { return fmt::format("layers.{}.{}", layer, part); };
  const Vector queries = times(arrays, name("q_proj"), x), keys = times(arrays, name("k_proj"), x, false);
  const auto& base = arrays.at(name("k_base")).values;
  Vector scores;
  for (size_t head = 0; head < keys.size() / kDim; ++head) {
    const Vector key = normed_part(keys, head, arrays.at(name("k_norm.weight")).values);
    double sum = 0;
    for (size_t g = 0; g < kGroup; ++g) {
      const Vector query = normed_part(queries, head * kGroup + g, arrays.at(name("q_norm.weight")).values);
      Vector weights = {std::exp(std::inner_product(key.begin(), key.end(), query.begin(), 0.0) / std::sqrt(kDim) +
                                 arrays.at(name("b")).values[head * kGroup + g])};
      for (size_t s = 0; s < kSinks; ++s) {
        weights.push_back(
            std::exp(std::inner_product(query.begin(), query.end(),
                                        base.begin() + static_cast<std::ptrdiff_t>((head * kSinks + s) * kDim), 0.0) /
                     std::sqrt(kDim)));
      }
      sum += weights[0] / std::accumulate(weights.begin(), weights.end(), 0.0);
    }
    scores.push_back(sum / kGroup);
  }
  return scores;
}

class PublishedGateTest : public testing::TestWithParam<const char*> {
 protected:
  PublishedGateTest() { backend_->set_precision(Precision::exact); }

  void read(const ObserveFn& observe) {
    prefill_ids(model_, some_tokens(kSystem, 3), some_tokens(kDocument, 7),
                {.kv_type = DType::f32, .batch = 16, .progress = {}, .observe = observe});
  }

  /// What enters the attention of the layers, after their norms: `[document]` of each.
  std::map<size_t, std::vector<Vector>> inputs() {
    std::map<size_t, std::vector<Vector>> found;
    const size_t width = model_.config().hidden;
    read([&](const LayerInput& input) {
      const Tensor normed(*backend_, DType::f32, input.hidden.rows, width);
      attention_norm(model_, input.layer).apply(*backend_, input.hidden, normed.view());
      const auto* const values = static_cast<const float*>(normed.view().data);
      for (size_t row = 0; row < input.hidden.rows; ++row) {
        if (input.first_position + row >= kSystem)
          found[input.layer].emplace_back(values + row * width, values + (row + 1) * width);
      }
    });
    return found;
  }

  /// Layer l of the model, scored number s, is number (by_model ? l : s) in the file.
  void expect_scores(const Arrays& arrays, const Rule& rule, bool by_model, const std::string& kind) {
    write(path_, arrays);
    const GateFile file = read_gate(path_, model_);
    EXPECT_EQ(file.notes.at("kind"), kind);
    const Gate gate(model_, file.weights);
    GateScores collected(gate, kSystem, kDocument);
    read(collected.observe());
    const Scores scores = collected.take();
    const auto found = inputs();
    const std::vector<size_t> layers = gate_layers(model_);
    ASSERT_EQ(scores.layers, layers.size());
    for (size_t scored = 0; scored < layers.size(); ++scored) {
      for (size_t row = 0; row < kDocument; ++row) {
        const Vector expected = rule(arrays, by_model ? layers[scored] : scored, found.at(layers[scored]).at(row));
        for (size_t head = 0; head < expected.size(); ++head)
          ASSERT_NEAR(scores.row(scored, head)[row], expected[head], 2e-4 * expected[head]) << scored << ' ' << row;
      }
    }
  }

  TempFolder folder_;
  std::string path_ = folder_.file("gate.safetensors");
  std::unique_ptr<Backend> backend_ = make_cpu_backend();
  Model model_ = Model::load(std::string(KVZIP_SOURCE_DIR "/tests/golden/tiny/") + GetParam(), *backend_);
};

TEST_P(PublishedGateTest, LinearKVzap) {
  expect_scores(linear_arrays(model_.config(), 1), linear_rule, true, "KVzap, linear");
}

TEST_P(PublishedGateTest, KVzapOfTwoLayers) {
  expect_scores(mlp_arrays(model_.config(), 2), mlp_rule, true, "KVzap, MLP");
}

TEST_P(PublishedGateTest, FastKVzip) {
  expect_scores(sink_arrays(model_.config(), gate_layers(model_).size(), 3), sink_rule, false, "Fast KVzip");
}

INSTANTIATE_TEST_SUITE_P(Families, PublishedGateTest,
                         testing::Values("llama", "gemma3", "gpt2_scored", "swiftkv_across"),
                         [](const auto& name) { return std::string(name.param); });

class PublishedGateFiles : public testing::Test {
 protected:
  std::string message_of(const std::string& path) const {
    try {
      read_gate(path, model_);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::input);
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
      return error.what();
    }
    return "";
  }
  void expect_refused(const Arrays& arrays, const std::string& part) const {
    write(path_, arrays);
    const std::string message = message_of(path_);
    EXPECT_NE(message.find(path_), std::string::npos) << message;
    EXPECT_NE(message.find(part), std::string::npos) << part << ": " << message;
  }
  /// Without each array, with one more value in each extent of it, and with one that is no number.
  void expect_all_needed(const Arrays& whole) const {
    for (const auto& [name, each] : whole) {
      if (!name.starts_with("layers.1.")) continue;
      Arrays arrays = whole;
      arrays.erase(name);
      expect_refused(arrays, "layers.");
      for (size_t extent = 0; extent < each.shape.size(); ++extent) {
        arrays[name] = each;
        arrays[name].shape[extent] += 1;
        arrays[name].values.resize(each.values.size() / each.shape[extent] * (each.shape[extent] + 1));
        expect_refused(arrays, name);
      }
      arrays[name] = each;
      arrays[name].values.back() = NAN;
      expect_refused(arrays, "finite");
    }
    write(path_, whole);
    EXPECT_EQ(message_of(path_), "");
  }

  TempFolder folder_;
  std::string path_ = folder_.file("gate.safetensors");
  std::unique_ptr<Backend> backend_ = make_cpu_backend();
  Model model_ = Model::load(KVZIP_SOURCE_DIR "/tests/golden/tiny/llama", *backend_);
};

TEST_F(PublishedGateFiles, NeedAllTheirArraysInTheModelsShape) {
  const ModelConfig& config = model_.config();
  expect_all_needed(linear_arrays(config, 1));
  expect_all_needed(mlp_arrays(config, 2));
  expect_all_needed(sink_arrays(config, config.layers, 3));
  // Sizes that don't go together within the first layer, and a layer too many.
  for (const auto& [name, shape] : std::vector<std::pair<std::string, Shape>>{
           {"layers.0.b", {2, 1, kGroup + 1}}, {"layers.0.b", {2, kGroup}}, {"layers.0.q_norm.weight", {kDim - 1}}}) {
    Maker maker(4);
    maker.arrays = sink_arrays(config, config.layers, 3);
    maker.add(name, shape, 1);
    expect_refused(maker.arrays, "layers.0.");
  }
  expect_refused(sink_arrays(config, config.layers + 1, 3), "4 of them for this model, found 5");
  const std::vector<uint8_t> byte = {7};
  write_safetensors(path_, std::vector<NamedArray>{{"layers.0.weight", {1}, std::span<const uint8_t>(byte)}});
  EXPECT_NE(message_of(path_).find("4 of them"), std::string::npos);
}

TEST_F(PublishedGateFiles, InFoldersHaveAConfigurationThatFits) {
  const auto config = [&](const std::string& text) { std::ofstream(folder_.file("config.json")) << text; };
  const auto fields = [](const char* type, int in, int out, const char* width, int modules) {
    return fmt::format(
        R"({{"model_type": "{}", "input_dim": {}, "output_dim": {}, "hidden_dim": {}, "n_modules": {}}})", type, in,
        out, width, modules);
  };
  path_ = folder_.file("model.safetensors");
  write(path_, mlp_arrays(model_.config(), 2));
  EXPECT_NE(message_of(folder_.path()).find("config.json"), std::string::npos);
  config(fields("kvzap", 64, 2, "19", 4));
  EXPECT_EQ(message_of(folder_.path()), "");
  const std::vector<std::pair<std::string, std::string>> wrong = {{fields("llama", 64, 2, "19", 4), "model_type"},
                                                                  {fields("kvzap", 65, 2, "19", 4), "input_dim"},
                                                                  {fields("kvzap", 64, 3, "19", 4), "output_dim"},
                                                                  {fields("kvzap", 64, 2, "18", 4), "hidden_dim"},
                                                                  {fields("kvzap", 64, 2, "null", 4), "hidden_dim"},
                                                                  {fields("kvzap", 64, 2, "19", 5), "n_modules"},
                                                                  {"[]", "config.json"},
                                                                  {"{", "config.json"}};
  for (const auto& [text, part] : wrong) {
    config(text);
    EXPECT_NE(message_of(folder_.path()).find(part), std::string::npos) << text << message_of(folder_.path());
  }
  write(path_, linear_arrays(model_.config(), 1));
  config(fields("kvzap", 64, 2, "null", 4));
  EXPECT_EQ(message_of(folder_.path()), "");
}

TEST_F(PublishedGateFiles, DamageIsAnErrorOfOneLine) {
  write(path_, sink_arrays(model_.config(), model_.config().layers, 3));
  std::ifstream file(path_, std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(file), {}};
  std::mt19937 random(1);
  size_t refused = 0;
  for (int i = 0; i < 200; ++i) {
    std::string damaged = whole;
    damaged[random() % 3000] ^= static_cast<char>(1U << random() % 8);  // names and shapes
    std::ofstream(path_, std::ios::binary) << damaged;
    if (!message_of(path_).empty()) ++refused;
  }
  EXPECT_GT(refused, 100U);
}

// As gates/fast_kvzip_tiny.pt was made: golden/make_gate_golden.py.
TEST_F(PublishedGateFiles, PyTorchFilesAreConverted) {
  const std::string pt = KVZIP_SOURCE_DIR "/tests/golden/gates/fast_kvzip_tiny.pt";
  const std::vector<std::string> convert = {python_path(), KVZIP_SOURCE_DIR "/scripts/convert_gate"};
  const auto run = [&](const std::string& from) {
    return run_process({.arguments = {convert[0], convert[1], from, path_}, .standard_input = ""});
  };
  const ProcessResult done = run(pt);
  ASSERT_EQ(done.exit_code, 0) << done.err;
  const GateFile gate = read_gate(path_, model_);
  const auto& weights = std::get<SinkGateWeights>(gate.weights);
  EXPECT_EQ(weights.dim, 4U);
  EXPECT_EQ(weights.group, 3U);
  EXPECT_EQ(weights.sinks, 5U);
  for (size_t layer = 0; layer < 4; ++layer) {
    const SinkGateWeights::Layer& each = weights.layers.at(layer);
    size_t array = 0;
    for (const std::vector<float>* values : {&each.queries.weights, &each.queries.bias, &each.keys.weights,
                                             &each.q_norm, &each.k_norm, &each.sinks, &each.offsets}) {
      for (size_t i = 0; i < values->size(); ++i)
        ASSERT_EQ((*values)[i], (static_cast<float>((7 * i + 13 * array + 29 * layer) % 61) - 30) / 32);
      ++array;
    }
  }
  // Whatever else it gets, it says so in one line and leaves nothing behind.
  const std::string other = folder_.file("other.pt");
  std::ifstream file(pt, std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(file), {}};
  std::mt19937 random(5);
  for (int i = 0; i < 16; ++i) {
    std::string damaged = whole.substr(0, i % 4 == 0 ? random() % whole.size() : whole.size());
    for (int flips = 0; flips < 8 && !damaged.empty(); ++flips)
      damaged[random() % std::min<size_t>(damaged.size(), 4000)] ^= static_cast<char>(1U << random() % 8);
    std::ofstream(other, std::ios::binary) << damaged;
    std::filesystem::remove(path_);
    const ProcessResult result = run(other);
    EXPECT_TRUE(result.exit_code == 0 || result.exit_code == 1) << result.err;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), result.exit_code) << result.err;
    EXPECT_EQ(std::filesystem::exists(path_), result.exit_code == 0);
  }
}

}  // namespace
}  // namespace kvzip
