#include "kvzip/model/hf_config.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace kvzip {
namespace {

using nlohmann::json;

/// The fields of a small model; a test changes some of them.
json small(const std::string& type) {
  return {{"model_type", type},
          {"num_hidden_layers", 6},
          {"hidden_size", 32},
          {"num_attention_heads", 4},
          {"num_key_value_heads", 2},
          {"intermediate_size", 48},
          {"max_position_embeddings", 512},
          {"vocab_size", 320}};
}

json with(json document, const std::string& key, json value) {
  document[key] = std::move(value);
  return document;
}

json without(json document, const std::string& key) {
  document.erase(key);
  return document;
}

ModelConfig read(const json& document) { return read_hf_config("m/config.json", document).model; }

void expect_error(const json& document, const std::string& message, ErrorCode code = ErrorCode::input) {
  try {
    read(document);
    FAIL() << "expected: " << message;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    EXPECT_EQ(std::string(error.what()).find("m/config.json: " + message), 0U) << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
  }
}

void expect_unsupported(const json& document, const std::string& message) {
  expect_error(document, message, ErrorCode::unsupported);
}

TEST(HfConfig, ReadsAPlainModel) {
  const ModelConfig config = read(small("llama"));
  EXPECT_EQ(config.arch->name, "llama");
  EXPECT_EQ(config.layers, 6U);
  EXPECT_EQ(config.own_kv_layers, 6U);
  EXPECT_EQ(config.head_dim, 8U);
  EXPECT_EQ(config.vocab, 320U);
  EXPECT_EQ(config.rope_pairing, RopePairing::halves);
  EXPECT_EQ(config.rope.base, 10000);
  EXPECT_FLOAT_EQ(config.norm_eps, 1e-6F);
  EXPECT_FLOAT_EQ(config.attention_scale, 1 / std::sqrt(8.0F));
  EXPECT_EQ(config.windows, std::vector<size_t>(6));
  EXPECT_FALSE(config.local_rope);
  EXPECT_FALSE(config.tied_output);
  EXPECT_FALSE(config.qkv_bias);
}

TEST(HfConfig, AbsentKeysHaveTheClassesDefaults) {
  EXPECT_EQ(read(without(small("llama"), "num_key_value_heads")).kv_heads, 4U);
  EXPECT_EQ(read(without(small("llama"), "max_position_embeddings")).context_length, 2048U);
  EXPECT_EQ(read(with(small("llama"), "head_dim", nullptr)).head_dim, 8U);
  EXPECT_EQ(read(with(small("llama"), "head_dim", 6)).head_dim, 6U);
  EXPECT_EQ(read(small("qwen3")).head_dim, 128U);
  EXPECT_TRUE(read(small("qwen2")).qkv_bias);
  EXPECT_FALSE(read(small("qwen2")).attention_output_bias);
  const ModelConfig biased = read(with(with(small("llama"), "attention_bias", true), "mlp_bias", true));
  EXPECT_TRUE(biased.qkv_bias && biased.attention_output_bias && biased.feed_forward_bias);
}

TEST(HfConfig, NamesTheFieldThatIsMissingOrWrong) {
  for (const char* key : {"num_hidden_layers", "hidden_size", "num_attention_heads", "intermediate_size"}) {
    expect_error(without(small("llama"), key), std::string(key) + ": expected 1 to ");
    expect_error(with(small("llama"), key, 0), std::string(key) + ": expected 1 to ");
    expect_error(with(small("llama"), key, uint64_t{1} << 50U), std::string(key) + ": expected 1 to ");
    expect_error(with(small("llama"), key, -4), std::string(key) + ": expected a whole number");
    expect_error(with(small("llama"), key, 4.5), std::string(key) + ": expected a whole number");
    expect_error(with(small("llama"), key, "4"), std::string(key) + ": expected a whole number");
    expect_error(with(small("llama"), key, json::array({4})), std::string(key) + ": expected a whole number");
  }
  expect_error(with(small("llama"), "num_key_value_heads", 3), "num_attention_heads: expected a multiple of the 3");
  expect_error(with(small("llama"), "num_key_value_heads", 8), "num_key_value_heads: expected 1 to 4");
  expect_error(with(small("llama"), "hidden_size", 34), "hidden_size: expected a multiple of the 4 heads");
  expect_error(with(small("llama"), "head_dim", 7), "head_dim: expected an even number");
  expect_error(with(small("llama"), "head_dim", 0), "head_dim: expected 1 to ");
  expect_error(with(small("llama"), "rms_norm_eps", 0), "rms_norm_eps: expected a positive number");
  expect_error(with(small("llama"), "rope_theta", -1), "rope_theta: expected a positive number");
  expect_error(with(small("llama"), "vocab_size", 0), "vocab_size: expected 1 to ");
  expect_error(with(small("llama"), "tie_word_embeddings", 1), "tie_word_embeddings: expected true or false");
  expect_error(with(small("llama"), "architectures", "LlamaForCausalLM"), "architectures: expected a list");
  expect_error(without(small("llama"), "model_type"), "model_type: expected the name of a family");
  expect_error(json::array(), "the whole of it: expected a JSON object");
}

TEST(HfConfig, RefusesWhatItCannotRun) {
  expect_unsupported(
      with(small("llama"), "model_type", "t5"),
      "model_type: expected one of llama, mistral, llama_swiftkv, qwen2, qwen3, gemma3_text, gemma3, gpt2, bert");
  expect_unsupported(with(small("llama"), "architectures", json::array({"LlamaForSequenceClassification"})),
                     "architectures: expected LlamaForCausalLM for model_type llama, found "
                     "'LlamaForSequenceClassification'");
  expect_unsupported(with(small("llama"), "hidden_act", "mish"),
                     "hidden_act: expected silu, gelu, gelu_new, gelu_pytorch_tanh or relu, found 'mish'");
  expect_unsupported(with(small("llama"), "quantization_config", json{{"quant_method", "gptq"}}),
                     "quantization_config");
  expect_unsupported(with(small("gemma3_text"), "attn_logit_softcapping", 50.0),
                     "attn_logit_softcapping: expected none");
  expect_unsupported(with(small("gemma3_text"), "final_logit_softcapping", 30.0), "final_logit_softcapping");
  expect_unsupported(with(small("gemma3_text"), "use_bidirectional_attention", true), "use_bidirectional_attention");
  expect_unsupported(with(small("llama"), "partial_rotary_factor", 0.5), "partial_rotary_factor: expected 1");
  for (const char* type : {"dynamic", "longrope", "mrope", "su"}) {
    expect_unsupported(with(small("llama"), "rope_scaling", json{{"type", type}, {"factor", 2.0}}),
                       "rope_scaling.type: expected default, linear, llama3 or yarn, found '" + std::string(type));
  }
}

TEST(HfConfig, GemmaInsideAMultimodalModel) {
  json inner = without(without(small("gemma3_text"), "num_attention_heads"), "num_key_value_heads");
  inner.erase("vocab_size");
  inner["sliding_window"] = 16;
  const json outer = {{"model_type", "gemma3"},
                      {"architectures", {"Gemma3ForConditionalGeneration"}},
                      {"vision_config", {{"hidden_size", 1}}},
                      {"text_config", inner}};
  const ModelConfig config = read(outer);
  EXPECT_EQ(config.arch->name, "gemma3");
  EXPECT_EQ(config.heads, 8U);
  EXPECT_EQ(config.kv_heads, 4U);
  EXPECT_EQ(config.head_dim, 256U);
  EXPECT_EQ(config.vocab, 262208U);
  EXPECT_EQ(config.hidden, 32U);
  EXPECT_FLOAT_EQ(config.attention_scale, 1 / 16.0F);
  EXPECT_EQ(config.windows, (std::vector<size_t>{16, 16, 16, 16, 16, 0}));
  EXPECT_EQ(config.rope.base, 1e6);
  ASSERT_TRUE(config.local_rope);
  EXPECT_EQ(config.local_rope->base, 10000);
  EXPECT_TRUE(config.tied_output);
  expect_error(without(outer, "text_config"), "text_config: expected the text model's");
  expect_error(with(outer, "text_config", 3), "'text_config': expected a JSON object");
  expect_unsupported(with(outer, "text_config", with(inner, "model_type", "llama")), "text_config.model_type");
}

TEST(HfConfig, WindowsOfEveryFamily) {
  const auto windows = [](const json& document) { return read(document).windows; };
  const std::vector<size_t> none(6), all(6, 16);
  // Mistral: all layers or none; its class has a window where the key is absent.
  EXPECT_EQ(windows(with(small("mistral"), "sliding_window", 16)), all);
  EXPECT_EQ(windows(with(small("mistral"), "sliding_window", nullptr)), none);
  EXPECT_EQ(windows(small("mistral")), std::vector<size_t>(6, 4096));
  // Qwen: the last ones, and only where a switch is on.
  const json qwen = with(with(small("qwen2"), "sliding_window", 16), "max_window_layers", 4);
  EXPECT_EQ(windows(qwen), none);
  EXPECT_EQ(windows(with(qwen, "use_sliding_window", true)), (std::vector<size_t>{0, 0, 0, 0, 16, 16}));
  EXPECT_EQ(windows(with(with(qwen, "use_sliding_window", true), "max_window_layers", 9)), none);
  // Gemma: by pattern.
  const json gemma = with(small("gemma3_text"), "sliding_window", 16);
  EXPECT_EQ(windows(with(gemma, "sliding_window_pattern", 2)), (std::vector<size_t>{16, 0, 16, 0, 16, 0}));
  EXPECT_EQ(windows(with(gemma, "_sliding_window_pattern", 3)), (std::vector<size_t>{16, 16, 0, 16, 16, 0}));
  EXPECT_EQ(windows(with(gemma, "sliding_window_pattern", 1)), none);
  // A list of layers says it for all of them.
  const json list = {"sliding_attention", "full_attention", "full_attention",
                     "full_attention",    "full_attention", "sliding_attention"};
  for (const char* type : {"llama", "mistral", "qwen3", "gemma3_text"}) {
    EXPECT_EQ(windows(with(with(small(type), "sliding_window", 16), "layer_types", list)),
              (std::vector<size_t>{16, 0, 0, 0, 0, 16}));
  }
  expect_error(with(gemma, "layer_types", json::array({"full_attention"})),
               "layer_types: expected one for each of 6 layers");
}

TEST(HfConfig, WindowsThatCannotBe) {
  const json gemma = with(small("gemma3_text"), "sliding_window", 16);
  expect_error(with(gemma, "sliding_window", 1), "sliding_window: expected 2 to");
  expect_error(with(gemma, "sliding_window", -1), "sliding_window: expected a whole number");
  expect_error(with(gemma, "sliding_window_pattern", 0), "sliding_window_pattern: expected 1 to");
  json list = json::array();
  for (int i = 0; i < 6; ++i) list.push_back("chunked_attention");
  expect_unsupported(with(gemma, "layer_types", list), "layer_types: expected full_attention or sliding_attention");
  list = json::array();
  for (int i = 0; i < 6; ++i) list.push_back("sliding_attention");
  expect_error(with(with(gemma, "sliding_window", nullptr), "layer_types", list), "sliding_window: expected 2 to");
}

TEST(HfConfig, ScalingsOfPositions) {
  const auto rope = [](const json& scaling) { return read(with(small("llama"), "rope_scaling", scaling)); };
  EXPECT_EQ(rope(nullptr).rope.scaling, RopeScaling::none);
  EXPECT_EQ(rope({{"rope_type", "default"}}).rope.scaling, RopeScaling::none);
  const ModelConfig linear = rope({{"type", "linear"}, {"factor", 8.0}});
  EXPECT_EQ(linear.rope.scaling, RopeScaling::linear);
  EXPECT_EQ(linear.rope.factor, 8);
  EXPECT_EQ(linear.context_length, 512U);
  const ModelConfig llama3 = rope({{"rope_type", "llama3"},
                                   {"factor", 8.0},
                                   {"low_freq_factor", 1.0},
                                   {"high_freq_factor", 4.0},
                                   {"original_max_position_embeddings", 128}});
  ASSERT_EQ(llama3.rope.frequency_divisors.size(), 4U);
  EXPECT_FLOAT_EQ(llama3.rope.frequency_divisors[0], 1);  // 20 rotations in the original context
  EXPECT_FLOAT_EQ(llama3.rope.frequency_divisors[3], 8);  // less than one
  const double middle = (128 / (2 * M_PI * 10) - 1) / 3;  // wavelength 62.8, between the two
  EXPECT_FLOAT_EQ(llama3.rope.frequency_divisors[1], static_cast<float>(1 / ((1 - middle) / 8 + middle)));
}

TEST(HfConfig, YarnCoversWhatTheModelDeclares) {
  const auto yarn = [](json scaling) {
    scaling["rope_type"] = "yarn";
    return read(with(small("qwen3"), "rope_scaling", scaling));
  };
  const auto expect = [](const ModelConfig& config, double factor, size_t original, size_t context) {
    EXPECT_EQ(config.rope.scaling, RopeScaling::yarn);
    EXPECT_EQ(config.rope.factor, factor);
    EXPECT_EQ(config.rope.original_context, original);
    EXPECT_EQ(config.context_length, context);
  };
  expect(yarn({{"factor", 4.0}, {"original_max_position_embeddings", 32}}), 16, 32, 512);    // the lengths ask for more
  expect(yarn({{"factor", 4.0}, {"original_max_position_embeddings", 400}}), 4, 400, 1600);  // the file does
  expect(yarn({{"original_max_position_embeddings", 128}}), 4, 128, 512);
  expect(yarn({{"factor", 2.0}}), 2, 512, 1024);
  const ModelConfig all = yarn({{"factor", 4.0}, {"beta_fast", 16}, {"beta_slow", 2}, {"attention_factor", 1.25}});
  EXPECT_EQ(all.rope.beta_fast, 16);
  EXPECT_EQ(all.rope.beta_slow, 2);
  EXPECT_EQ(all.rope.attention_factor, 1.25);
}

TEST(HfConfig, ScalingsThatCannotBe) {
  const auto scaled = [](const json& scaling) { return with(small("llama"), "rope_scaling", scaling); };
  expect_error(scaled({{"type", "linear"}}), "rope_scaling.factor: expected a positive number, found none");
  expect_error(scaled({{"type", "linear"}, {"factor", 0}}), "rope_scaling.factor: expected a positive number, found 0");
  expect_error(scaled({{"type", "linear"}, {"factor", 1e300}}), "rope_scaling.factor: expected at most");
  expect_error(scaled({{"type", "yarn"}}), "rope_scaling.factor: expected a positive number, found none");
  expect_error(scaled({{"type", "yarn"}, {"factor", 2}, {"original_max_position_embeddings", 0}}),
               "rope_scaling.original_max_position_embeddings: expected 1 to");
  expect_unsupported(scaled({{"type", "yarn"}, {"factor", 2}, {"mscale", 1.0}}), "rope_scaling.mscale");
  expect_unsupported(scaled({{"type", "yarn"}, {"factor", 2}, {"truncate", false}}), "rope_scaling.truncate");
  const json llama3 = {{"rope_type", "llama3"}, {"factor", 8.0}, {"low_freq_factor", 4.0}, {"high_freq_factor", 4.0}};
  expect_error(scaled(llama3), "rope_scaling.high_freq_factor: expected more than low_freq_factor");
  expect_error(scaled(with(llama3, "high_freq_factor", 8)), "rope_scaling.original_max_position_embeddings");
  expect_error(scaled(without(llama3, "low_freq_factor")), "rope_scaling.low_freq_factor: expected a positive number");
  expect_error(scaled("linear"), "'rope_scaling': expected a JSON object");
}

TEST(HfConfig, TheNewerSpellingOfPositions) {
  const ModelConfig flat = read(
      with(small("llama"), "rope_parameters", json{{"rope_type", "linear"}, {"factor", 2.0}, {"rope_theta", 5e5}}));
  EXPECT_EQ(flat.rope.base, 5e5);
  EXPECT_EQ(flat.rope.factor, 2);
  EXPECT_FALSE(flat.local_rope);
  const json by_layer = {{"full_attention", {{"rope_type", "linear"}, {"factor", 8.0}, {"rope_theta", 1e6}}},
                         {"sliding_attention", {{"rope_type", "default"}, {"rope_theta", 7000.0}}}};
  const ModelConfig gemma = read(with(small("gemma3_text"), "rope_parameters", by_layer));
  EXPECT_EQ(gemma.rope.base, 1e6);
  EXPECT_EQ(gemma.rope.scaling, RopeScaling::linear);
  ASSERT_TRUE(gemma.local_rope);
  EXPECT_EQ(gemma.local_rope->base, 7000);
  EXPECT_EQ(gemma.local_rope->scaling, RopeScaling::none);
  EXPECT_EQ(read(with(small("gemma3_text"), "rope_local_base_freq", 5000.0)).local_rope->base, 5000);
}

}  // namespace
}  // namespace kvzip
