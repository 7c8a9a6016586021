#include "kvzip/store/fingerprint.h"

#include <gtest/gtest.h>

#include "kvzip/base/error.h"
#include "tests/hf_builder.h"
#include "tests/test_paths.h"

namespace kvzip {
namespace {

class FingerprintTest : public testing::Test {
 protected:
  Fingerprint of(const HfBuilder& builder, const ModelOptions& options = {}) {
    const TempFolder folder;
    builder.write(folder.path());
    return fingerprint_of(Model::load(folder.path(), *backend_, options));
  }
  static std::string value(const Fingerprint& values, const std::string& name) {
    for (const FingerprintValue& each : values) {
      if (each.name == name) return each.value;
    }
    return "none";
  }
  static std::string misfit(const Fingerprint& file, const Fingerprint& model) {
    try {
      require_fit("doc.kvz", file, model);
    } catch (const Error& error) {
      return error.what();
    }
    return "fits";
  }

  std::unique_ptr<Backend> backend_ = make_cpu_backend();
  HfBuilder llama_ = HfBuilder::tiny("llama");
};

TEST_F(FingerprintTest, IsTheSameWhereverTheModelLies) { EXPECT_EQ(misfit(of(llama_), of(llama_)), "fits"); }

TEST_F(FingerprintTest, NamesWhatDiffersWithBothValues) {
  const Fingerprint before = of(llama_);
  HfBuilder other = llama_;
  other.config["rope_theta"] = 54321.0;
  const Fingerprint after = of(other);
  const std::string error = misfit(before, after);
  EXPECT_EQ(error.find("doc.kvz: made with another model: 'rope': '"), 0U) << error;
  EXPECT_NE(error.find(value(before, "rope")), std::string::npos) << error;
  EXPECT_NE(error.find("base 54321"), std::string::npos) << error;
  EXPECT_EQ(error.find("weights"), std::string::npos) << error;
}

TEST_F(FingerprintTest, NamesTwoOfManyDifferences) {
  const std::string error = misfit(of(llama_), of(HfBuilder::tiny("qwen3")));
  EXPECT_EQ(
      error.find("doc.kvz: made with another model: 'architecture': 'llama' in the file, 'qwen3' in the model; '"), 0U)
      << error;
  size_t named = 0;
  for (size_t at = error.find("in the file"); at != std::string::npos; at = error.find("in the file", at + 1)) ++named;
  EXPECT_EQ(named, 2U) << error;
  EXPECT_TRUE(error.ends_with(" more")) << error;
}

// One changed value of any tensor's ends or middle.
TEST_F(FingerprintTest, SeesTheWeights) {
  const Fingerprint before = of(llama_);
  for (const auto& [name, tensor] : llama_.tensors) {
    HfBuilder other = llama_;
    other.tensors[name].data[0] ^= 1;
    const Fingerprint after = of(other);
    EXPECT_NE(value(after, "weights"), value(before, "weights")) << name;
    EXPECT_NE(misfit(before, after).find("'weights'"), std::string::npos);
  }
}

TEST_F(FingerprintTest, SeesTheTemplateAndEveryFamily) {
  EXPECT_NE(misfit(of(llama_), of(llama_, {.chat_template = "chatml"})).find("'template'"), std::string::npos);
  for (const char* family : {"mistral", "qwen2", "qwen3", "gemma3", "gpt2", "swiftkv", "swiftkv_across"}) {
    HfBuilder builder = HfBuilder::tiny(family);
    const Fingerprint before = of(builder);
    for (auto& [name, tensor] : builder.tensors) {
      tensor.data[0] ^= 1;
      EXPECT_NE(value(of(builder), "weights"), value(before, "weights")) << family << " " << name;
      tensor.data[0] ^= 1;
    }
  }
}

TEST_F(FingerprintTest, KnowsTheDefaultModelsTokenizer) {
  const Model model = Model::load(default_model_path(), *backend_);
  const Fingerprint values = fingerprint_of(model);
  EXPECT_NE(value(values, "tokenizer").find("49152 tokens"), std::string::npos) << value(values, "tokenizer");
  EXPECT_EQ(value(values, "template").find("chatml"), 0U);
  EXPECT_EQ(value(values, "architecture"), "llama");
}

}  // namespace
}  // namespace kvzip
