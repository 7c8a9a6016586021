// What single families bring that the golden data doesn't show: SwiftKV's early end of a reading, GPT-2's last
// position, and config.json files that contradict themselves.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "kvzip/kvzip.h"
#include "kvzip/stages/prompt.h"
#include "tests/test_paths.h"

namespace kvzip {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string tiny(const std::string& name) { return KVZIP_SOURCE_DIR "/tests/golden/tiny/" + name; }

std::vector<TokenId> some_tokens(size_t count, TokenId step) {
  std::vector<TokenId> ids(count);
  for (size_t i = 0; i < count; ++i) ids[i] = static_cast<TokenId>((7 + i * static_cast<size_t>(step)) % 320);
  return ids;
}

std::unique_ptr<Backend> exact_backend() {
  auto backend = make_cpu_backend();
  backend->set_precision(Precision::exact);
  return backend;
}

std::string rows_of_tail(const Tail& tail) {
  std::string bytes;
  for (size_t layer = 0; layer < tail.shape().layers(); ++layer) {
    for (const KvRows& head : tail.segment(layer).heads) {
      const size_t size = head.len * tail.shape().head_row_bytes();
      bytes.append(static_cast<const char*>(head.k), size);
      bytes.append(static_cast<const char*>(head.v), size);
    }
  }
  return bytes;
}

struct Pass {
  std::string rows;
  std::vector<size_t> done;  // layers, as they were reported
  size_t layers = 0;
};

Pass read_tokens(const Model& model, Logits logits) {
  Pass pass;
  Tail tail(model.backend(), model.cache_shape(DType::f32), 0);
  const std::vector<TokenId> tokens = some_tokens(37, 11);
  Forward(model).run(
      Batch{.tokens = tokens, .tail = &tail, .logits = logits, .on_layer = [&](size_t done, size_t layers) {
              pass.done.push_back(done);
              pass.layers = layers;
            }});
  pass.rows = rows_of_tail(tail);
  return pass;
}

TEST(SwiftKv, LayersWithoutKeysAndValuesOfTheirOwnShareThem) {
  const auto backend = exact_backend();
  const Model single = Model::load(tiny("swiftkv"), *backend), across = Model::load(tiny("swiftkv_across"), *backend);
  EXPECT_EQ(single.config().layers, 4U);
  EXPECT_EQ(single.cache_shape(DType::f16).layers(), 4U);
  EXPECT_EQ(across.config().layers, 6U);
  EXPECT_EQ(across.cache_shape(DType::f16).layers(), 4U);
  const std::vector<size_t> expected = {0, 1, 2, 2, 3, 3};
  for (size_t layer = 0; layer < 6; ++layer) EXPECT_EQ(across.config().kv_layer(layer), expected[layer]);
}

TEST(SwiftKv, RowsWithoutLogitsEndAfterTheOwnLayersWithTheSameKeysAndValues) {
  const auto backend = exact_backend();
  for (const char* name : {"swiftkv", "swiftkv_across"}) {
    const Model model = Model::load(tiny(name), *backend);
    const Pass none = read_tokens(model, Logits::none), last = read_tokens(model, Logits::last),
               all = read_tokens(model, Logits::all);
    EXPECT_EQ(none.done, (std::vector<size_t>{1, 2}));
    EXPECT_EQ(none.layers, 2U);
    EXPECT_EQ(all.layers, model.config().layers);
    EXPECT_EQ(all.done.size(), model.config().layers);
    EXPECT_EQ(none.rows.size(), 37 * model.cache_shape(DType::f32).token_bytes());
    EXPECT_TRUE(none.rows == all.rows);
    EXPECT_TRUE(last.rows == all.rows);
  }
}

TEST(SwiftKv, TheLastLogitsAreThoseOfAPassThatAsksForAll) {
  const auto backend = exact_backend();
  const Model model = Model::load(tiny("swiftkv_across"), *backend);
  const std::vector<TokenId> tokens = some_tokens(29, 13);
  const auto logits = [&](Logits which) {
    Tail tail(*backend, model.cache_shape(DType::f32), 0);
    Forward forward(model);
    const auto found = forward.run(Batch{.tokens = tokens, .tail = &tail, .logits = which});
    return std::vector<float>(found.end() - 320, found.end());
  };
  const std::vector<float> last = logits(Logits::last), all = logits(Logits::all);
  for (size_t i = 0; i < 320; ++i) EXPECT_NEAR(last[i], all[i], 1e-4);
}

TEST(SwiftKv, AStoppedPassLeavesTheTailAsItWas) {
  const auto backend = exact_backend();
  const Model model = Model::load(tiny("swiftkv_across"), *backend);
  const std::vector<TokenId> tokens = some_tokens(20, 3);
  Tail tail(*backend, model.cache_shape(DType::f32), 0);
  Forward forward(model);
  forward.run(Batch{.tokens = tokens, .tail = &tail});
  const std::string before = rows_of_tail(tail);
  for (const size_t stop : {1U, 2U, 4U}) {
    const auto stop_there = [stop](size_t done, size_t) {
      if (done == stop) throw Error(ErrorCode::cancelled, "stopped");
    };
    EXPECT_THROW(forward.run(Batch{.tokens = tokens, .tail = &tail, .logits = Logits::last, .on_layer = stop_there}),
                 Error);
    EXPECT_TRUE(rows_of_tail(tail) == before);
  }
}

TEST(Gpt2, NoTokenStandsBeyondTheLearnedPositions) {
  const auto backend = exact_backend();
  const Model model = Model::load(tiny("gpt2_scored"), *backend);
  const std::vector<TokenId> most = some_tokens(384, 5), more = some_tokens(385, 5);
  Tail tail(*backend, model.cache_shape(DType::f32), 0);
  Forward forward(model);
  EXPECT_EQ(forward.run(Batch{.tokens = most, .tail = &tail, .logits = Logits::last}).size(), 320U);
  Tail other(*backend, model.cache_shape(DType::f32), 0);
  for (Tail* full : {&tail, &other}) {
    try {
      forward.run(Batch{.tokens = more, .tail = full});
      FAIL() << "a position that doesn't exist was used";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::input);
      EXPECT_NE(std::string(error.what()).find("384"), std::string::npos) << error.what();
    }
  }
  EXPECT_EQ(tail.end_position(), 384U);
  EXPECT_EQ(other.end_position(), 0U);
}

// A repetition needs positions of its own: where few are left, the document is repeated in smaller chunks.
TEST(Gpt2, ScoringUsesChunksThatFitTheLearnedPositions) {
  const TempFolder folder;
  const std::string gguf = folder.file("gpt2.gguf");
  const std::string command = fmt::format("{} '{}/../../tiny_to_gguf.py' '{}' '{}'", python_path(), tiny("gpt2_scored"),
                                          tiny("gpt2_scored"), gguf);
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
  const auto backend = exact_backend();
  const Model model = Model::load(gguf, *backend);
  EXPECT_EQ(model.chat_template().name, "plain");
  // Its start token isn't in this vocabulary, and must not become text.
  EXPECT_EQ(model.tokenizer().decode(system_ids(model)).find("begin_of_text"), std::string::npos);

  const std::vector<TokenId> document = some_tokens(200, 17);
  const PrefillOptions options{.kv_type = DType::f32, .progress = {}};
  const Reading reading = prefill_ids(model, some_tokens(6, 3), document, options);
  const size_t chunk = fitting_chunk(model, reading.tail.end_position(), kRepeatChunk);
  EXPECT_LT(chunk, 150U);
  const auto inputs = repeat_inputs(model, document, chunk);
  EXPECT_GT(inputs.size(), 1U);
  for (const RepeatInput& input : inputs) EXPECT_LE(206 + input.ids.size(), 384U);

  const Scores scores = score(model, reading), again = score(model, reading, {.chunk = chunk, .progress = {}});
  EXPECT_EQ(scores.values, again.values);
  for (const float value : scores.values) EXPECT_GT(value, 0);
  EXPECT_EQ(fitting_chunk(model, reading.tail.end_position(), 10), 10U);
  EXPECT_THROW(fitting_chunk(model, 380, kRepeatChunk), Error);
}

/// Makes a copy of a tiny model's folder with another config.json.
void copy_changed(const std::string& name, const fs::path& folder, const std::function<void(json&)>& change) {
  fs::copy_file(tiny(name) + "/model.safetensors", folder / "model.safetensors", fs::copy_options::overwrite_existing);
  json config = json::parse(std::ifstream(tiny(name) + "/config.json"));
  change(config);
  std::ofstream(folder / "config.json") << config;
}

// Mistral with a window in all layers: nothing is scored, and what is kept doesn't depend on level and ratio.
TEST(Mistral, AModelOfWindowsAloneIsReadScoredCompressedAndAsked) {
  const TempFolder folder;
  copy_changed("mistral", folder.path(), [](json& config) { config["sliding_window"] = 24; });
  const auto backend = exact_backend();
  const Model model = Model::load(folder.path(), *backend);
  const PrefillOptions options{.kv_type = DType::f32, .progress = {}};
  const auto read = [&] { return prefill_ids(model, some_tokens(5, 3), some_tokens(90, 17), options); };
  const AnswerOptions answer_options{.sampling = {}, .max_tokens = 9, .on_text = {}};

  const Reading whole = read();
  Conversation uncompressed(model, past_of(whole.tail), whole.tail.end_position(), DType::f32);
  const Answer expected = uncompressed.continue_ids(some_tokens(7, 5), answer_options);
  ASSERT_FALSE(expected.ids.empty());
  const std::vector<RepeatInput> inputs = {{.begin = 0, .len = 90, .ids = some_tokens(90, 17)}};
  for (const Level level : {Level::pair, Level::pair_uniform, Level::head}) {
    for (const double ratio : {1.0, 0.3}) {
      Reading reading = read();
      const size_t read_bytes = reading.tail.bytes();
      Scores scores = score(model, reading, inputs, {.progress = {}});
      EXPECT_EQ(scores.layers, 0U);
      const Keep keep = select(scores, level, ratio).keep;
      const Context context = compress(model, std::move(reading), std::move(scores), keep);
      EXPECT_LT(context.bytes() * 3, read_bytes);
      const ContextCut cut(context, context.held());
      Conversation talk(model, past_of(cut), context.read_tokens(), DType::f32);
      EXPECT_EQ(talk.continue_ids(some_tokens(7, 5), answer_options).ids, expected.ids);
    }
  }
}

struct BadConfig {
  const char* model;
  const char* key;
  json value;
  ErrorCode code;
  const char* found_in_error;
};

TEST(ModelFamilies, AConfigThatContradictsItselfIsAnErrorThatNamesTheKey) {
  const auto backend = make_cpu_backend();
  const std::vector<BadConfig> cases = {
      {"swiftkv", "swiftkv", false, ErrorCode::unsupported, "swiftkv"},
      {"swiftkv", "swiftkv", nullptr, ErrorCode::unsupported, "swiftkv"},
      {"swiftkv_across", "num_key_value_layers", 0, ErrorCode::input, "num_key_value_layers"},
      {"swiftkv_across", "num_key_value_layers", 7, ErrorCode::input, "num_key_value_layers"},
      {"swiftkv_across", "num_key_value_layers", 3, ErrorCode::input, "key_value_group_size"},
      {"swiftkv_across", "key_value_group_size", -1, ErrorCode::input, "key_value_group_size"},
      {"swiftkv_across", "key_value_group_size", 1, ErrorCode::input, "k_proj_swiftkv"},
      {"swiftkv_across", "num_key_value_layers", 4, ErrorCode::input, "layers.2.self_attn.q_proj"},
      {"gpt2_scored", "scale_attn_by_inverse_layer_idx", true, ErrorCode::unsupported, "scale_attn_by_inverse"},
      {"gpt2_scored", "scale_attn_weights", false, ErrorCode::unsupported, "scale_attn_weights"},
      {"gpt2_scored", "activation_function", "mish", ErrorCode::unsupported, "activation_function"},
      {"gpt2_scored", "n_positions", 500, ErrorCode::input, "wpe.weight"},
      {"gpt2_scored", "n_inner", 100, ErrorCode::input, "c_fc.weight"},
      {"gpt2_scored", "n_head", 5, ErrorCode::input, "n_embd"},
  };
  for (const BadConfig& one : cases) {
    SCOPED_TRACE(std::string(one.model) + " " + one.key + " " + one.value.dump());
    const TempFolder folder;
    copy_changed(one.model, folder.path(), [&](json& config) { config[one.key] = one.value; });
    try {
      Model::load(folder.path(), *backend);
      ADD_FAILURE() << "loaded";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), one.code) << error.what();
      EXPECT_NE(std::string(error.what()).find(one.found_in_error), std::string::npos) << error.what();
    }
  }
}

TEST(ModelFamilies, KeysThatAreAbsentMeanWhatTheFamilySays) {
  const auto backend = exact_backend();
  const TempFolder gpt2_folder, swift_folder;
  copy_changed("gpt2_scored", gpt2_folder.path(), [](json& config) {
    for (const char* key : {"n_inner", "scale_attn_weights", "layer_norm_epsilon"}) config.erase(key);
  });
  copy_changed("swiftkv", swift_folder.path(), [](json& config) { config.erase("key_value_group_size"); });
  const Model gpt2 = Model::load(gpt2_folder.path(), *backend), swift = Model::load(swift_folder.path(), *backend);
  EXPECT_EQ(gpt2.config().feed_forward, 256U);
  EXPECT_EQ(gpt2.config().norm_eps, 1e-5F);
  EXPECT_EQ(swift.config().kv_group, 1U);
}

}  // namespace
}  // namespace kvzip
