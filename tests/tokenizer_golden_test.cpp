// The tokenizers of real model files against recorded ids.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "kvzip/model/gguf_vocabulary.h"
#include "kvzip/text/chat_template.h"
#include "kvzip/text/incremental_decoder.h"
#include "tests/test_paths.h"

namespace kvzip {
namespace {

using Ids = std::vector<TokenId>;

constexpr const char* kTask = "Given the context, answer to the following question or request without explanation.\n\n";

struct Source {
  const char* name;
  std::string (*path)();
  std::vector<std::string> folders;  ///< of golden data made with this model
};

std::ostream& operator<<(std::ostream& out, const Source& source) { return out << source.name; }

std::string golden(const std::string& name) { return KVZIP_SOURCE_DIR "/tests/golden/" + name; }

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("can't read " + path);
  std::stringstream text;
  text << file.rdbuf();
  return std::move(text).str();
}

nlohmann::json read_json(const std::string& path) { return nlohmann::json::parse(read(path)); }

struct TokenizerGolden : testing::TestWithParam<Source> {
  TokenizerGolden() {
    const Gguf file = Gguf::open(GetParam().path());
    architecture = file.get_string("general.architecture");
    tokenizer = make_tokenizer(gguf_vocabulary(file));
  }

  std::string architecture;
  std::unique_ptr<Tokenizer> tokenizer;
};

TEST_P(TokenizerGolden, StringsGiveTheRecordedIdsAndComeBack) {
  const nlohmann::json cases = read_json(golden("tokenizers/") + GetParam().name + ".json");
  EXPECT_GE(cases.size(), 80U);
  for (const auto& one : cases) {
    const auto ids = one.at("ids").get<Ids>();
    EXPECT_EQ(tokenizer->encode(one.at("text").get<std::string>()), ids) << one.at("text");
    EXPECT_EQ(decode_verbatim(*tokenizer, ids), one.at("decoded").get<std::string>());
    IncrementalDecoder decoder(*tokenizer);
    std::string streamed;
    for (const TokenId id : ids) streamed += decoder.push(id);
    EXPECT_EQ(streamed + decoder.flush(), tokenizer->decode(ids));
  }
}

TEST_P(TokenizerGolden, PromptsGiveTheRecordedIds) {
  const ChatTemplate& chat = guess_template(*tokenizer, architecture);
  for (const std::string& folder : GetParam().folders) {
    const nlohmann::json meta = read_json(golden(folder) + "/meta.json");
    EXPECT_EQ(tokenizer->encode(chat.prefix + kTask), meta.at("system_ids").get<Ids>());
    const auto postfix = meta.at("postfix_ids").get<Ids>();
    EXPECT_EQ(tokenizer->encode(chat.postfix), postfix);
    const Ids context = tokenizer->encode(read(golden("contexts/") + meta.at("context_file").get<std::string>()));
    EXPECT_EQ(context, meta.at("context_ids").get<Ids>());
    for (size_t i = 0; i < meta.at("query_ids").size(); ++i) {
      Ids query = tokenizer->encode("\n\n" + meta.at("query_text")[i].get<std::string>());
      query.insert(query.end(), postfix.begin(), postfix.end());
      EXPECT_EQ(query, meta.at("query_ids")[i].get<Ids>());
    }
    for (const TokenId id : postfix) EXPECT_EQ(tokenizer->find(tokenizer->spelling(id)), id);
  }
}

TEST_P(TokenizerGolden, RepeatInputsGiveTheRecordedIds) {
  const std::string postfix = guess_template(*tokenizer, architecture).postfix;
  for (const std::string& folder : GetParam().folders) {
    const nlohmann::json meta = read_json(golden(folder) + "/meta.json");
    const auto context = meta.at("context_ids").get<Ids>();
    ptrdiff_t at = 0;
    for (const auto& repeat : meta.at("repeat_inputs")) {
      const auto length = repeat[0].get<ptrdiff_t>();
      Ids ids = tokenizer->encode(at == 0 ? "\n\nRepeat the previous context exactly."
                                          : "\n\nRepeat the part of the previous context exactly, starting with ");
      if (at > 0)
        ids.insert(ids.end(), context.begin() + at - meta.at("prev_postfix").get<ptrdiff_t>(), context.begin() + at);
      std::ranges::copy(tokenizer->encode(postfix), std::back_inserter(ids));
      ids.insert(ids.end(), context.begin() + at, context.begin() + at + length);
      EXPECT_EQ(ids, repeat[1].get<Ids>());
      at += length;
    }
    EXPECT_EQ(at, static_cast<ptrdiff_t>(context.size()));
  }
}

TEST_P(TokenizerGolden, TenMegabytesComeBack) {
  const std::string document = read(golden("contexts/lighthouse_and_license.txt"));
  std::string long_text;
  while (long_text.size() < 10'000'000) long_text += document;
  for (const std::string& text :
       {long_text, std::string(10'000'000, 'a'), std::string(10'000'000, ' '), std::string(10'000'000, '<')}) {
    const Ids ids = tokenizer->encode(text);
    EXPECT_LT(ids.size(), text.size());
    EXPECT_TRUE(tokenizer->decode(ids) == text) << text.substr(0, 5);
  }
}

TEST_P(TokenizerGolden, AnswersEndAtTheTokensOfTheFamily) {
  std::vector<std::string> spellings;
  for (const TokenId id : stop_tokens(*tokenizer)) spellings.emplace_back(tokenizer->spelling(id));
  const bool gemma = architecture == "gemma3";
  EXPECT_EQ(spellings, gemma ? (std::vector<std::string>{"<end_of_turn>", "<eos>"})
                             : (std::vector<std::string>{"<|im_end|>", "<|endoftext|>"}));
}

INSTANTIATE_TEST_SUITE_P(
    Models, TokenizerGolden,
    testing::Values(Source{"smollm2", default_model_path, {"smollm2_lighthouse", "smollm2_two_chunks"}},
                    Source{"gemma3", gemma_model_path, {"gemma3_lighthouse"}}),
    [](const auto& instance) { return std::string(instance.param.name); });

}  // namespace
}  // namespace kvzip
