// The engine against the outputs of the original implementation.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <tuple>

#include "kvzip/backend/backend.h"
#include "kvzip/stages/answer.h"
#include "tests/golden_compare.h"
#include "tests/test_paths.h"

namespace kvzip::golden {
namespace {

const std::string kGolden = KVZIP_SOURCE_DIR "/tests/golden/";

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

void expect_close(const std::string& model_path, const std::string& folder, bool exact, DType kv_type) {
  const auto backend = make_cpu_backend();
  backend->set_precision(exact ? Precision::exact : Precision::fast);
  const Model model =
      Model::load(model_path, *backend, {.weights = exact ? WeightMode::f32 : WeightMode::stored, .chat_template = {}});
  const Golden golden = read_golden(kGolden + folder);
  const std::string document =
      golden.context_file.empty() ? "" : read_text(kGolden + "contexts/" + golden.context_file);
  const auto figures = compare(model, golden, document, {exact, kv_type});
  EXPECT_GE(figures.size(), 2U);
  for (const Figure& figure : figures) {
    EXPECT_TRUE(figure.passes()) << figure.what << ": " << figure.value << ", bound " << figure.bound;
    fmt::print("  {:<70} {:g}\n", figure.what, figure.value);
  }
}

void expect_exact(const std::string& model_path, const std::string& folder) {
  expect_close(model_path, folder, true, DType::f32);
}

TEST(GoldenExact, SmolLm2OneChunk) { expect_exact(default_model_path(), "smollm2_lighthouse"); }
TEST(GoldenExact, SmolLm2TwoChunks) { expect_exact(default_model_path(), "smollm2_two_chunks"); }
TEST(GoldenExact, Gemma3) { expect_exact(gemma_model_path(), "gemma3_lighthouse"); }

/// As the engine normally runs, with contexts in every type that takes less than f32.
class GoldenFast : public testing::TestWithParam<DType> {};

TEST_P(GoldenFast, SmolLm2OneChunk) { expect_close(default_model_path(), "smollm2_lighthouse", false, GetParam()); }
TEST_P(GoldenFast, SmolLm2TwoChunks) { expect_close(default_model_path(), "smollm2_two_chunks", false, GetParam()); }
TEST_P(GoldenFast, Gemma3) { expect_close(gemma_model_path(), "gemma3_lighthouse", false, GetParam()); }

INSTANTIATE_TEST_SUITE_P(KvTypes, GoldenFast, testing::Values(DType::f16, DType::q8_0, DType::q4_0),
                         [](const auto& type) { return std::string(dtype_name(type.param)); });

class GoldenTiny : public testing::TestWithParam<const char*> {};

/// The tiny model of that family as a GGUF file made on the spot, in `folder`.
std::string make_gguf(const std::string& family, const TempFolder& folder) {
  const std::string gguf = folder.file(family + ".gguf");
  const std::string command =
      fmt::format("{} '{}tiny_to_gguf.py' '{}tiny/{}' '{}'", python_path(), kGolden, kGolden, family, gguf);
  if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);
  return gguf;
}

TEST_P(GoldenTiny, MatchesInF32) {
  const TempFolder made;
  expect_exact(make_gguf(GetParam(), made), std::string("tiny/") + GetParam());
}

/// Logits of the golden's text, in f32.
std::vector<float> logits_of(const std::string& path, const Golden& golden) {
  const auto backend = make_cpu_backend();
  backend->set_precision(Precision::exact);
  const Model model = Model::load(path, *backend, {.weights = WeightMode::f32, .chat_template = {}});
  std::vector<TokenId> ids = golden.system;
  ids.insert(ids.end(), golden.context.begin(), golden.context.end());
  return Conversation(model, {}, 0, DType::f32).logits(ids);
}

// Llama's GGUF files hold q and k in another order, which changes the order of their sums; all else is the same.
TEST_P(GoldenTiny, GivesTheLogitsOfItsFolder) {
  const Golden golden = read_golden(kGolden + "tiny/" + GetParam());
  const std::vector<float> folder = logits_of(kGolden + "tiny/" + GetParam(), golden);
  const TempFolder made;
  const std::vector<float> gguf = logits_of(make_gguf(GetParam(), made), golden);
  ASSERT_EQ(folder.size(), gguf.size());
  float largest = 0;
  for (size_t i = 0; i < folder.size(); ++i) largest = std::max(largest, std::abs(folder[i] - gguf[i]));
  fmt::print("  {:<70} {:g}\n", "largest difference of a logit", largest);
  EXPECT_LE(largest, 5e-5);
}

INSTANTIATE_TEST_SUITE_P(Families, GoldenTiny,
                         testing::Values("llama", "mistral", "qwen2", "qwen3", "gemma3", "gpt2", "gpt2_scored"),
                         [](const auto& family) { return std::string(family.param); });

class GoldenFolder : public testing::TestWithParam<const char*> {};

TEST_P(GoldenFolder, MatchesInF32) {
  const std::string folder = std::string("tiny/") + GetParam();
  expect_exact(kGolden + folder, folder);
}

INSTANTIATE_TEST_SUITE_P(Families, GoldenFolder,
                         testing::Values("llama", "mistral", "qwen2", "qwen3", "gemma3", "gpt2", "gpt2_scored",
                                         "swiftkv", "swiftkv_across"),
                         [](const auto& family) { return std::string(family.param); });

}  // namespace
}  // namespace kvzip::golden
