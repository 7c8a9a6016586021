// Whole folders: what of them becomes a model, and what is wrong with those that don't.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <functional>

#include "kvzip/base/error.h"
#include "kvzip/model/forward.h"
#include "kvzip/text/formats/protobuf_builder.h"
#include "tests/hf_builder.h"
#include "tests/test_paths.h"

namespace kvzip {
namespace {

namespace fs = std::filesystem;

class HfModelTest : public testing::Test {
 protected:
  HfModelTest() { backend_->set_precision(Precision::exact); }

  Model load(WeightMode mode = WeightMode::stored) const {
    return Model::load(folder_.path(), *backend_, {.weights = mode, .chat_template = {}});
  }

  /// Logits of the last of some tokens.
  std::vector<float> logits(const Model& model) const {
    const std::vector<TokenId> tokens = {5, 300, 17, 17, 211, 80, 3, 99, 250, 1, 64};
    Tail tail(*backend_, model.cache_shape(DType::f32), 0);
    Forward forward(model);
    const auto result = forward.run({.tokens = tokens, .tail = &tail, .logits = Logits::last});
    return {result.begin(), result.end()};
  }
  std::vector<float> logits() const { return logits(load()); }

  void expect_error(const std::string& message, ErrorCode code = ErrorCode::input) const {
    try {
      load();
      FAIL() << "expected: " << message;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code) << error.what();
      EXPECT_NE(std::string(error.what()).find(message), std::string::npos) << error.what();
      EXPECT_NE(std::string(error.what()).find(folder_.path()), std::string::npos) << error.what();
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    }
  }

  std::unique_ptr<Backend> backend_ = make_cpu_backend();
  TempFolder folder_;
};

TEST_F(HfModelTest, ShardsGiveTheSameModel) {
  const HfBuilder tiny = HfBuilder::tiny("qwen3");
  tiny.write(folder_.path());
  const std::vector<float> expected = logits();
  fs::remove(folder_.file("model.safetensors"));
  tiny.write_sharded(folder_.path(), 3);
  EXPECT_EQ(logits(), expected);
  EXPECT_GT(load().source().file_bytes(), 3U * 8);
}

TEST_F(HfModelTest, WeightsStayWhereTheyAreWhateverTheirType) {
  for (const char* family : {"llama", "gemma3"}) {
    HfBuilder tiny = HfBuilder::tiny(family);
    tiny.round_to_bf16();
    tiny.write(folder_.path());
    const std::vector<float> expected = logits();
    const bool gemma = std::string(family) == "gemma3";
    EXPECT_EQ(load().weights().owned.size(), gemma ? 37U : 0U);  // Gemma's norms, which the file holds less one
    tiny.to_bf16();
    tiny.write(folder_.path());
    const Model halves = load();
    EXPECT_EQ(halves.weights().embedding.dtype, DType::bf16);
    EXPECT_EQ(halves.weights().layers[0].down.dtype, DType::bf16);
    EXPECT_EQ(halves.weights().owned.size(), gemma ? 37U : 9U);  // norms, which are f32 always
    const std::vector<float> found = logits(halves);
    ASSERT_EQ(found.size(), expected.size());
    for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-4) << family;
  }
}

TEST_F(HfModelTest, HalfPrecisionOfEitherKindIsTheSameModel) {
  HfBuilder tiny = HfBuilder::tiny("qwen2");
  tiny.round_to_bf16();
  HfBuilder halves = tiny;
  halves.to_f16();
  tiny.to_bf16();
  tiny.write(folder_.path());
  const std::vector<float> expected = logits();
  halves.write(folder_.path());
  const Model model = load();
  EXPECT_EQ(model.weights().layers[0].down.dtype, DType::f16);
  const std::vector<float> found = logits(model);
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-4);
}

TEST_F(HfModelTest, DataAtOddPlacesAreCopied) {
  HfBuilder tiny = HfBuilder::tiny("llama");
  tiny.write(folder_.path());
  const std::vector<float> expected = logits();
  for (const size_t padding : {1U, 2U, 3U}) {
    tiny.write(folder_.path(), padding);
    const Model model = load();
    EXPECT_EQ(reinterpret_cast<uintptr_t>(model.weights().layers[1].k.data) % alignof(float), 0U);
    EXPECT_EQ(logits(model), expected);
  }
}

TEST_F(HfModelTest, MultimodalPrefixes) {
  HfBuilder tiny = HfBuilder::tiny("gemma3");
  tiny.write(folder_.path());
  const std::vector<float> expected = logits();
  for (const std::string prefix : {"language_model.model.", "model.language_model.", ""}) {
    HfBuilder wrapped = tiny;
    for (const auto& [name, tensor] : tiny.tensors)
      wrapped.rename(name, prefix + name.substr(std::string("model.").size()));
    wrapped.tensors["vision_tower.x"] = {"I8", {3}, "abc"};
    wrapped.config = {{"model_type", "gemma3"}, {"text_config", tiny.config}, {"eos_token_id", {1, 106}}};
    wrapped.write(folder_.path());
    EXPECT_EQ(logits(), expected) << prefix;
    EXPECT_EQ(load().stop_tokens(), (std::vector<TokenId>{1, 106}));
  }
}

TEST_F(HfModelTest, TiedAndUntiedOutputs) {
  HfBuilder tiny = HfBuilder::tiny("llama");
  ASSERT_TRUE(tiny.tensors.contains("lm_head.weight"));
  tiny.tensors.erase("lm_head.weight");
  tiny.write(folder_.path());
  expect_error("tensor 'lm_head.weight': expected a tensor of that name, found none");
  tiny.config["tie_word_embeddings"] = true;
  tiny.write(folder_.path());
  const Model model = load();
  EXPECT_EQ(model.weights().output.data, model.weights().embedding.data);
}

TEST_F(HfModelTest, BiasesOfEveryProjection) {
  HfBuilder tiny = HfBuilder::tiny("llama");
  tiny.write(folder_.path());
  const std::vector<float> without = logits();
  tiny.config["attention_bias"] = true;
  tiny.config["mlp_bias"] = true;
  tiny.write(folder_.path());
  expect_error("tensor 'model.layers.0.self_attn.q_proj.bias'");
  const std::map<std::string, HfTensor> weights = tiny.tensors;
  for (const auto& [name, tensor] : weights) {
    if (name.find("_proj.weight") == std::string::npos) continue;
    tiny.tensors[name.substr(0, name.size() - 6) + "bias"] = {
        "F32", {tensor.shape[0]}, std::string(tensor.shape[0] * sizeof(float), '\0')};
  }
  tiny.write(folder_.path());
  EXPECT_EQ(logits(), without);
  for (const char* part : {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
                           "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"}) {
    HfBuilder changed = tiny;
    std::string& bias = changed.tensors["model.layers.2." + std::string(part) + ".bias"].data;
    for (size_t i = 0; i < bias.size() / 8; ++i) bias.replace(i * 4, 4, std::string("\0\0\x80\x3f", 4));  // 1.0F
    changed.write(folder_.path());
    EXPECT_NE(logits(), without) << part;
  }
}

TEST_F(HfModelTest, ASlidingMistralForgetsWhatItsWindowLeft) {
  HfBuilder tiny = HfBuilder::tiny("mistral");
  tiny.write(folder_.path());
  const std::vector<float> whole = logits();
  tiny.config["sliding_window"] = 64;  // longer than the text
  tiny.write(folder_.path());
  EXPECT_EQ(logits(), whole);
  tiny.config["sliding_window"] = 3;
  tiny.write(folder_.path());
  EXPECT_NE(logits(), whole);
  EXPECT_TRUE(load().cache_shape(DType::f32).global_layers().empty());
}

TEST_F(HfModelTest, StopTokensOfTheFiles) {
  HfBuilder tiny = HfBuilder::tiny("llama");
  const auto stops = [&](const nlohmann::json& config, const nlohmann::json& generation) {
    tiny.config["eos_token_id"] = config;
    tiny.write(folder_.path());
    fs::remove(folder_.file("generation_config.json"));
    if (!generation.is_null()) write_bytes(folder_.file("generation_config.json"), generation.dump());
    return load().stop_tokens();
  };
  using Ids = std::vector<TokenId>;
  EXPECT_EQ(stops(2, nullptr), (Ids{2}));
  EXPECT_EQ(stops(nullptr, nullptr), (Ids{}));
  EXPECT_EQ(stops(nlohmann::json::array({2, 7, 2}), nullptr), (Ids{2, 7}));
  EXPECT_EQ(stops(2, {{"eos_token_id", {319, 8}}}), (Ids{319, 8}));
  EXPECT_EQ(stops(2, {{"temperature", 0.6}}), (Ids{2}));
  for (const nlohmann::json& wrong : {nlohmann::json(320), nlohmann::json(-1), nlohmann::json("</s>"),
                                      nlohmann::json::array({1, "2"}), nlohmann::json(uint64_t{1} << 40U)}) {
    EXPECT_THROW(stops(wrong, nullptr), Error) << wrong;
    EXPECT_THROW(stops(2, {{"eos_token_id", wrong}}), Error) << wrong;
  }
  expect_error("generation_config.json: eos_token_id: expected token ids below 320");
}

TEST_F(HfModelTest, WithoutATokenizerThereAreOnlyIds) {
  HfBuilder::tiny("qwen2").write(folder_.path());
  const Model model = load();
  EXPECT_FALSE(model.has_tokenizer());
  EXPECT_EQ(model.chat_template().name, "plain");
  try {
    model.tokenizer();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::input);
    EXPECT_NE(std::string(error.what()).find("tokenizer.json"), std::string::npos);
  }
}

/// Three words and an end; 320 rows are 316 more than that.
constexpr const char* kWords = R"({"version":"1.0","truncation":null,"padding":null,"normalizer":null,
  "added_tokens":[{"id":3,"content":"<end>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,
                   "special":true}],
  "pre_tokenizer":{"type":"WhitespaceSplit"},"post_processor":null,"decoder":null,
  "model":{"type":"WordLevel","vocab":{"?":0,"one":1,"two":2,"<end>":3},"unk_token":"?"}})";

TEST_F(HfModelTest, ATokenizerSmallerThanTheVocabulary) {
  HfBuilder::tiny("qwen2").write(folder_.path());
  write_bytes(folder_.file("tokenizer.json"), kWords);
  const Model model = load();
  ASSERT_TRUE(model.has_tokenizer());
  EXPECT_EQ(model.tokenizer().vocab_size(), 320U);
  EXPECT_EQ(model.spelled_tokens(), 4U);
  EXPECT_EQ(model.tokenizer().encode("one two<end>"), (std::vector<TokenId>{1, 2, 3}));
  EXPECT_EQ(model.tokenizer().piece(319), "");
  EXPECT_EQ(load_tokenizer(folder_.path())->encode("two one"), (std::vector<TokenId>{2, 1}));
  EXPECT_EQ(load_tokenizer(folder_.file("tokenizer.json"))->encode("two one"), (std::vector<TokenId>{2, 1}));
  write_bytes(folder_.file("tokenizer.json"), "{");
  expect_error("tokenizer.json");
}

TEST_F(HfModelTest, SentencePieceWhereThereIsNoTokenizerJson) {
  HfBuilder::tiny("qwen2").write(folder_.path());
  const auto piece = [](const std::string& spelling, float score, uint64_t type) {
    return ProtobufBuilder().bytes(1, spelling).float32(2, score).varint(3, type).str();
  };
  const std::string pieces = ProtobufBuilder()
                                 .bytes(1, piece("<unk>", 0, 2))
                                 .bytes(1, piece("<s>", 0, 3))
                                 .bytes(1, piece("\u2581one", -1, 1))
                                 .bytes(1, piece("\u2581two", -2, 1))
                                 .str();
  write_bytes(folder_.file("tokenizer.model"), pieces);
  write_bytes(folder_.file("tokenizer_config.json"), R"({"bos_token":"<s>"})");
  const Model model = load();
  EXPECT_EQ(model.tokenizer().description(), "sentencepiece unigram");
  EXPECT_EQ(model.tokenizer().encode("two one"), (std::vector<TokenId>{3, 2}));
  EXPECT_EQ(model.opening_token(), 1);
  write_bytes(folder_.file("tokenizer.json"), kWords);
  EXPECT_EQ(load().tokenizer().encode("two one"), (std::vector<TokenId>{2, 1}));
  fs::remove(folder_.file("tokenizer.json"));
  write_bytes(folder_.file("tokenizer.model"), pieces.substr(0, pieces.size() - 1));
  expect_error("tokenizer.model: ");
}

TEST_F(HfModelTest, RolesOfSpecialTokens) {
  HfBuilder::tiny("qwen2").write(folder_.path());
  write_bytes(folder_.file("tokenizer.json"), kWords);
  const auto load_with = [&](const char* config) {
    write_bytes(folder_.file("tokenizer_config.json"), config);
    return load();
  };
  using Ids = std::vector<TokenId>;
  EXPECT_EQ(load_with("{}").stop_tokens(), (Ids{2}));  // of config.json
  EXPECT_EQ(load_with(R"({"eos_token":"<end>"})").stop_tokens(), (Ids{2, 3}));
  EXPECT_EQ(load_with(R"({"eos_token":{"content":"<end>"}})").stop_tokens(), (Ids{2, 3}));
  EXPECT_EQ(load_with(R"({"eos_token":"<unknown>","bos_token":null})").stop_tokens(), (Ids{2}));
  EXPECT_FALSE(load_with(R"({"bos_token":"one"})").opening_token());
  EXPECT_EQ(load_with(R"({"bos_token":"one","add_bos_token":true})").opening_token(), 1);
  write_bytes(folder_.file("tokenizer_config.json"), R"({"eos_token":7})");
  expect_error("tokenizer_config.json: eos_token: expected a text, found 7");
}

TEST_F(HfModelTest, FoldersWithoutTheirFiles) {
  expect_error("expected a model's folder with config.json, found none");
  write_bytes(folder_.file("some.gguf"), "x");
  expect_error("some.gguf, which can be named itself");
  write_bytes(folder_.file("config.json"), HfBuilder::tiny("llama").config.dump());
  expect_error("expected model.safetensors or model.safetensors.index.json, found neither");
  write_bytes(folder_.file("config.json"), std::string(10'000'000, '['));
  expect_error("config.json: expected a JSON file of at most");
  write_bytes(folder_.file("config.json"), std::string(100'000, '['));
  expect_error("config.json: byte 64: expected at most 64");
  write_bytes(folder_.file("config.json"), R"({"model_type":"llama","model_type":"llama"})");
  expect_error("config.json: key 'model_type': expected once");
}

TEST_F(HfModelTest, FilesThatContradictEachOther) {
  HfBuilder tiny = HfBuilder::tiny("llama");
  const std::string whole = tiny.file();
  tiny.write(folder_.path());
  write_bytes(folder_.file("model.safetensors"), whole.substr(0, whole.size() - 1));
  expect_error("model.safetensors: field ");
  write_bytes(folder_.file("model.safetensors"), whole.substr(0, 100));
  expect_error("model.safetensors: field header");
  tiny.config["num_hidden_layers"] = 5;
  tiny.write(folder_.path());
  expect_error("tensor 'model.layers.4.input_layernorm.weight': expected a tensor of that name, found none");
  tiny.config["num_hidden_layers"] = 4;
  tiny.config["vocab_size"] = 321;
  tiny.write(folder_.path());
  expect_error("tensor model.embed_tokens.weight: expected shape [64, 321], found [64, 320]");
  tiny.config["vocab_size"] = 320;
  HfTensor& tensor = tiny.tensors["model.layers.1.mlp.up_proj.weight"];
  tensor = {"I32", tensor.shape, tensor.data};
  tiny.write(folder_.path());
  expect_error("tensor 'model.layers.1.mlp.up_proj.weight': expected dtype F32, F16 or BF16, found 'I32'",
               ErrorCode::unsupported);
}

TEST_F(HfModelTest, ShardsThatAreWrong) {
  const HfBuilder tiny = HfBuilder::tiny("llama");
  tiny.write_sharded(folder_.path(), 2);
  const std::string index = folder_.file("model.safetensors.index.json");
  const auto change = [&](const std::function<void(nlohmann::json&)>& edit) {
    nlohmann::json changed = tiny.index(2);
    edit(changed);
    write_bytes(index, changed.dump());
  };
  const std::string second = HfBuilder::shard_name(1, 2);
  for (const char* hostile : {"../model.safetensors", "/etc/passwd", "sub/x.safetensors", "..", ".", ""}) {
    change([&](nlohmann::json& json) { json["weight_map"]["lm_head.weight"] = hostile; });
    expect_error("weight_map of 'lm_head.weight': expected the name of a file in the same folder");
  }
  change([&](nlohmann::json& json) { json["weight_map"]["lm_head.weight"] = 7; });
  expect_error("weight_map of 'lm_head.weight': expected the name of a file in the same folder");
  change([&](nlohmann::json& json) { json["weight_map"]["lm_head.weight"] = "missing.safetensors"; });
  expect_error("missing.safetensors");
  change([&](nlohmann::json& json) { json["weight_map"]["more"] = second; });
  expect_error("weight_map of 'more': expected a tensor of that name in '" + second + "', found none");
  change([&](nlohmann::json& json) { json["weight_map"].erase("lm_head.weight"); });
  expect_error("tensor 'lm_head.weight': expected a tensor of that name, found none");
  change([&](nlohmann::json& json) { json.erase("weight_map"); });
  expect_error("weight_map: expected an object of tensors and their files");
  change([&](nlohmann::json&) {});
  const std::string whole = tiny.file(1, 2);
  write_bytes(folder_.file(second), whole.substr(0, whole.size() - 4));
  expect_error(second + ": field ");
  fs::remove(folder_.file(second));
  expect_error(second);
}

}  // namespace
}  // namespace kvzip
