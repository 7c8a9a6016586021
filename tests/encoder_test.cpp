// Encoders: BERT against PyTorch, as the library and as `kvzip embed` see it.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "kvzip/kvzip.h"
#include "kvzip/model/safetensors.h"
#include "tests/cli_process.h"
#include "tests/hf_builder.h"
#include "tests/test_paths.h"

namespace kvzip {
namespace {

using nlohmann::json;

std::string tiny(const std::string& name) { return KVZIP_SOURCE_DIR "/tests/golden/tiny/" + name; }
json cases(const std::string& name) { return json::parse(read_bytes(tiny(name) + "/golden.json")); }

std::vector<float> floats(const SafetensorsFile& file, const std::string& name) {
  const auto& data = file.arrays.at(name).data;
  std::vector<float> values(data.size() / sizeof(float));
  std::memcpy(values.data(), data.data(), data.size());
  return values;
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return INFINITY;
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) largest = std::max<double>(largest, std::fabs(a[i] - b[i]));
  return largest;
}

std::optional<std::string> second_of(const json& one) {
  return one["second"].is_null() ? std::nullopt : std::optional(one["second"].get<std::string>());
}

Encoding encode_exactly(const std::string& folder, const EncoderInput& input) {
  const auto backend = make_cpu_backend();
  backend->set_precision(Precision::exact);
  return encode(Model::load(folder, *backend), input, DType::f32);
}

class Encoder : public testing::TestWithParam<const char*> {};

TEST_P(Encoder, SpellsTextsAndPairsAsThePackageDoes) {
  const auto backend = make_cpu_backend();
  const Model model = Model::load(tiny(GetParam()), *backend);
  for (const json& one : cases(GetParam())) {
    const EncoderInput input = encoder_input(model, one["first"].get<std::string>(), second_of(one));
    EXPECT_EQ(input.ids, one["ids"].get<std::vector<TokenId>>()) << one["first"];
    EXPECT_EQ(input.types, one["types"].get<std::vector<TokenId>>()) << one["first"];
  }
}

TEST_P(Encoder, HiddenStatesAreThoseOfPyTorch) {
  const SafetensorsFile golden = read_safetensors(tiny(GetParam()) + "/golden.safetensors");
  size_t index = 0;
  for (const json& one : cases(GetParam())) {
    const std::string number = std::to_string(index++);
    const Encoding found = encode_exactly(tiny(GetParam()), {one["ids"], one["types"]});
    EXPECT_LE(largest_difference(found.states, floats(golden, "hidden_" + number)), 1e-4) << one["first"];
    const bool pools = golden.arrays.contains("pooled_" + number);
    EXPECT_EQ(found.pooled.empty(), !pools);
    if (pools) {
      EXPECT_LE(largest_difference(found.pooled, floats(golden, "pooled_" + number)), 1e-4);
    }
  }
  EXPECT_EQ(index, 5U);
}

INSTANTIATE_TEST_SUITE_P(Folders, Encoder, testing::Values("bert", "bert_older"),
                         [](const auto& name) { return std::string(name.param); });

// The first text's tokens know of the second's: nothing is causal.
TEST(EncoderAttention, SeesWhatComesLater) {
  const json pair = cases("bert")[1];
  std::vector<TokenId> ids = pair["ids"];
  const Encoding before = encode_exactly(tiny("bert"), {ids, pair["types"]});
  ids.back() = 5;
  const Encoding after = encode_exactly(tiny("bert"), {ids, pair["types"]});
  EXPECT_GT(largest_difference({before.states.begin(), before.states.begin() + 48},
                               {after.states.begin(), after.states.begin() + 48}),
            1e-3);
}

void expect_refused(const std::function<void(HfBuilder&)>& change, const std::string& message) {
  const TempFolder folder;
  HfBuilder builder = HfBuilder::tiny("bert");
  change(builder);
  builder.write(folder.path());
  const auto backend = make_cpu_backend();
  try {
    Model::load(folder.path(), *backend);
    FAIL() << "expected: " << message;
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(message), std::string::npos) << error.what();
  }
}

TEST(EncoderFolder, NamesWhatIsMissingOrUnsupported) {
  expect_refused([](HfBuilder& b) { b.config["position_embedding_type"] = "relative_key"; },
                 "position_embedding_type: expected absolute");
  expect_refused([](HfBuilder& b) { b.config["is_decoder"] = true; }, "is_decoder: expected false");
  expect_refused([](HfBuilder& b) { b.config["hidden_act"] = "mish"; }, "hidden_act: expected silu, gelu");
  expect_refused([](HfBuilder& b) { b.config["type_vocab_size"] = 3; }, "token_type_embeddings.weight");
  expect_refused([](HfBuilder& b) { b.config["architectures"] = {"RobertaModel"}; }, "architectures: expected Bert");
  expect_refused([](HfBuilder& b) { b.tensors.erase("embeddings.LayerNorm.bias"); }, "embeddings.LayerNorm.bias");
  expect_refused([](HfBuilder& b) { b.tensors.erase("pooler.dense.bias"); }, "pooler.dense.bias");
}

TEST(EncoderFolder, TakesNoMoreTokensThanItHasPositionsFor) {
  const std::vector<TokenId> ids(65, 41);
  EXPECT_THROW(encode_exactly(tiny("bert"), {ids, {}}), Error);
  EXPECT_EQ(encode_exactly(tiny("bert"), {std::vector<TokenId>(64, 41), {}}).tokens, 64U);
}

ProcessResult kvzip(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), KVZIP_BINARY_DIR "/bin/kvzip");
  return run_process({.arguments = std::move(arguments), .standard_input = ""});
}

TEST(EmbedCommand, PrintsAndWritesVectors) {
  const json one = cases("bert")[1];
  const SafetensorsFile golden = read_safetensors(tiny("bert") + "/golden.safetensors");
  const std::vector<std::string> about = {"embed", "--text",     one["first"], "--pair", one["second"],
                                          "-m",    tiny("bert"), "--weights",  "f32",    "-q"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), about.begin(), about.end());
    return kvzip(more);
  };
  const json pooled = json::parse(with({"--json"}).out);
  EXPECT_EQ(pooled["ids"], one["ids"]);
  EXPECT_LE(largest_difference(pooled["embedding"], floats(golden, "pooled_1")), 1e-4);
  const std::string lines = with({"--pooling", "tokens"}).out;
  EXPECT_EQ(static_cast<size_t>(std::count(lines.begin(), lines.end(), '\n')), one["ids"].size());

  const TempFolder folder;
  const ProcessResult written = with({"--tensor", folder.file("t.safetensors")});
  EXPECT_EQ(written.exit_code, 0) << written.err;
  EXPECT_TRUE(written.out.empty());
  const SafetensorsFile tensors = read_safetensors(folder.file("t.safetensors"));
  EXPECT_LE(largest_difference(floats(tensors, "tokens"), floats(golden, "hidden_1")), 1e-4);

  const ProcessResult none = kvzip({"embed", "--text", "a", "-m", tiny("bert_older"), "-q"});
  EXPECT_EQ(none.exit_code, 1);
  EXPECT_NE(none.err.find("the model has no pooler"), std::string::npos) << none.err;
  EXPECT_EQ(kvzip({"embed", "--text", "a", "-m", tiny("bert_older"), "-q", "--pooling", "mean"}).exit_code, 0);
  EXPECT_EQ(kvzip({"embed", "-m", tiny("bert")}).exit_code, 2);
}

TEST(EncoderCommands, SayWhatAnEncoderIsFor) {
  const TempFolder folder;
  write_bytes(folder.file("d.txt"), "The cat sat on the mat.");
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"ask", folder.file("d.txt"), "Who?"},
                                             {"chat", folder.file("d.txt")},
                                             {"generate", "The"},
                                             {"compress", folder.file("d.txt"), "-o", folder.file("d.kvz")}}) {
    std::vector<std::string> arguments = command;
    arguments.insert(arguments.end(), {"-m", tiny("bert")});
    const ProcessResult result = kvzip(arguments);
    EXPECT_EQ(result.exit_code, 1) << command.front();
    EXPECT_NE(result.err.find("an encoder (bert)"), std::string::npos) << result.err;
  }
  const json info = json::parse(kvzip({"info", tiny("bert"), "--json"}).out);
  EXPECT_EQ(info["family"], "bert");
  EXPECT_EQ(info["encoder"], true);
  const ProcessResult tokens = kvzip({"tokenize", "--text", "the cats", "-m", tiny("bert_older"), "--json"});
  EXPECT_EQ(json::parse(tokens.out)["count"], 3) << tokens.out << tokens.err;  // the cat ##s
  const ProcessResult decoder = kvzip({"embed", "--text", "a", "-m", tiny("llama")});
  EXPECT_NE(decoder.err.find("expected an encoder"), std::string::npos) << decoder.err;
}

}  // namespace
}  // namespace kvzip
