// `kvzip tokenizer train` and `kvzip tokenize --kind` as their users meet them.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/program_test_case.h"

namespace kvzip {
namespace {

using Json = nlohmann::json;
using Words = std::vector<std::string>;

constexpr std::string_view kText =
    "The lamp was lit. The lamp was out. The keeper lit the lamp again, and the keeper was glad.\n"
    "Who was the keeper? The keeper was Ada Lind.\n";

class TokenizerTrain : public ::testing::Test {
 protected:
  TokenizerTrain() : text_(write("text.txt", kText)), output_(folder_.file("tokenizer.json")) {}

  std::string write(const std::string& name, std::string_view text) const {
    std::ofstream(folder_.file(name), std::ios::binary) << text;
    return folder_.file(name);
  }
  static std::string read(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
  }

  static ProcessResult run(Words words, const std::string& standard_input = "", const std::string& interrupt_at = "") {
    words.insert(words.begin(), {kProgram, "tokenizer", "train"});
    return run_process({words, standard_input, {}, interrupt_at});
  }
  Words train(const Words& options) const {
    Words words = {text_, "-o", output_};
    words.insert(words.end(), options.begin(), options.end());
    return words;
  }

  /// Expects one line on stderr that holds `part`, nothing on stdout, and no file.
  void expect_error(Words words, int exit_code, std::string_view part) const {
    words.emplace_back("-q");
    expect_refused(words, run(words), exit_code, part);
    EXPECT_FALSE(std::ifstream(output_).good()) << testing::PrintToString(words);
  }

  TempFolder folder_;
  std::string text_;
  std::string output_;
};

TEST_F(TokenizerTrain, WritesAVocabulary) {
  const ProcessResult result = run(train({"--vocab-size", "270", "--special", "<s>", "--special", "[UNK]", "--json"}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.err.find("270 tokens, 2 of them special"), std::string::npos) << result.err;
  const Json said = Json::parse(result.out);
  EXPECT_EQ(said.at("vocab_size"), 270);
  EXPECT_EQ(said.at("merges"), 12);
  EXPECT_EQ(said.at("bytes"), kText.size());
  EXPECT_LT(said.at("tokens").get<size_t>(), kText.size());
  const Json file = Json::parse(read(output_));
  EXPECT_EQ(file.at("model").at("vocab").size(), 270U);
  EXPECT_EQ(file.at("model").at("vocab").at("[UNK]"), 1);
  EXPECT_EQ(file.at("added_tokens").at(1).at("content"), "[UNK]");
  EXPECT_EQ(folder_.entries(), 2U);
}

TEST_F(TokenizerTrain, FilesAndStandardInputCountAlike) {
  ASSERT_EQ(run(train({"-q", "--vocab-size", "275"})).exit_code, 0);
  const std::string one = read(output_);
  EXPECT_NE(one, "");
  ASSERT_EQ(run({"-", "-o", output_, "-q", "--vocab-size", "275"}, std::string(kText)).exit_code, 0);
  EXPECT_EQ(read(output_), one);
  const size_t line = kText.find('\n') + 1;
  ASSERT_EQ(run({write("b.txt", kText.substr(line)), write("empty.txt", ""), write("a.txt", kText.substr(0, line)),
                 "-o", output_, "-q", "--vocab-size", "275", "-t", "1"})
                .exit_code,
            0);
  EXPECT_EQ(read(output_), one);
}

TEST_F(TokenizerTrain, SaysWhenTheTextHasNoMoreToLearn) {
  const ProcessResult result = run(train({"--vocab-size", "5000"}));
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_NE(result.err.find("5,000 were asked for"), std::string::npos) << result.err;
}

TEST_F(TokenizerTrain, WrongUsageIsTwo) {
  expect_error({text_}, 2, "--output");
  expect_error({"-o", output_}, 2, "FILE");
  expect_error(train({"--vocab-size", "100"}), 2, "--vocab-size: expected at least 256");
  expect_error(train({"--vocab-size", "-5"}), 2, "whole number");
  expect_error(train({"--vocab-size", "256", "--special", "<s>"}), 2, "1 special");
  expect_error(train({"--special", "<s>", "--special", "<s>"}), 2, "'<s>' is given twice");
  expect_error(train({"--special", ""}), 2, "--special");
  expect_error(train({"--special", "\xFF"}), 2, "UTF-8");
  expect_error(train({"--special", std::string(300, 'x')}), 2, "at most 256 bytes");
  expect_error(train({"--pattern", "gpt5"}), 2, "gpt5");
  expect_error(train({"--pattern", "qwen2", "--add-prefix-space"}), 2, "--add-prefix-space");
  expect_error(train({"--model", "magic"}), 2, "magic");
  expect_error({text_, "-o", text_}, 2, "would be replaced");
}

TEST_F(TokenizerTrain, WhatCantBeReadOrWrittenIsOne) {
  expect_error({folder_.file("missing.txt"), "-o", output_}, 1, "missing.txt: No such file");
  expect_error({folder_.path(), "-o", output_}, 1, "found a folder");
  expect_error({write("empty.txt", ""), "-o", output_}, 1, "found none");
  expect_error({write("binary.bin", "text\nmore \xFF\xFE"), "-o", output_}, 1,
               "binary.bin: expected UTF-8 text, found the byte 0xff at offset 10");
  expect_error({text_, "-o", folder_.file("none/tokenizer.json")}, 1, "can't be written");
  expect_error({text_, "-o", folder_.path()}, 1, "can't be written");
}

TEST_F(TokenizerTrain, CtrlCLeavesNothingBehind) {
  std::string large;
  while (large.size() < 60'000'000) large += kText;
  const std::string path = write("large.txt", large);
  const size_t before = folder_.entries();
  const ProcessResult result = run_process(
      {{"/bin/sh", "-c", "echo ready >&2; exec \"$@\"", "sh", kProgram, "tokenizer", "train", path, "-o", output_},
       "",
       {},
       "ready"});
  EXPECT_TRUE(result.exit_code == 130 || result.exit_code == 128 + SIGINT) << result.exit_code;
  EXPECT_EQ(folder_.entries(), before);
}

TEST_F(TokenizerTrain, OtherModelsAreTrainedToo) {
  for (const char* model : {"wordpiece", "unigram"}) {
    ASSERT_EQ(run(train({"-q", "--model", model, "--vocab-size", "90", "--lowercase"})).exit_code, 0);
    const ProcessResult ids =
        run_process({{kProgram, "tokenize", "--tokenizer", output_, "--text", "The KEEPER was", "--json"}, "", {}, ""});
    ASSERT_EQ(ids.exit_code, 0) << ids.err;
    EXPECT_LT(Json::parse(ids.out).at("count"), 14) << model;
  }
  std::filesystem::remove(output_);
  expect_error(train({"--model", "wordpiece", "--vocab-size", "20"}), 2, "--vocab-size: expected at least");
  expect_error(train({"--model", "unigram", "--vocab-size", "20"}), 2, "--vocab-size: expected room for");
  expect_error(train({"--model", "unigram", "--pattern", "qwen2"}), 2, "--pattern: only for --model bpe");
  expect_error(train({"--lowercase"}), 2, "--lowercase");
}

class TokenizeKinds : public TokenizerTrain {
 protected:
  static ProcessResult tokenize(Words words) {
    words.insert(words.begin(), {kProgram, "tokenize"});
    return run_process({words, "", {}, ""});
  }
};

TEST_F(TokenizeKinds, AllAreCompared) {
  const ProcessResult result = tokenize({text_, "--kind", "all", "--json", "-q"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.err, "");
  const Json kinds = Json::parse(result.out).at("kinds");
  ASSERT_EQ(kinds.size(), 7U);
  EXPECT_EQ(kinds[0].at("kind"), "whitespace");
  EXPECT_EQ(kinds[2].at("pieces"), kText.size());
  for (size_t i = 4; i < 7; ++i) EXPECT_EQ(kinds[i].at("unknown"), 0) << kinds[i].at("kind");
  const ProcessResult table = tokenize({text_, "--kind", "sentence,word", "--kind", "bpe"});
  EXPECT_EQ(table.exit_code, 0);
  EXPECT_LT(table.out.find("word:"), table.out.find("sentence:"));
  EXPECT_NE(table.out.find("The lamp was lit. |The lamp was out. |"), std::string::npos) << table.out;
  EXPECT_EQ(table.out.find("\x1b["), std::string::npos);
  const ProcessResult coloured = run_on_terminal({{kProgram, "tokenize", text_, "--kind", "word"}, "", {}, ""});
  EXPECT_NE(coloured.out.find("\x1b[38;5;255;48;5;24mThe"), std::string::npos) << coloured.out;
}

TEST_F(TokenizeKinds, UseTheGivenVocabulary) {
  ASSERT_EQ(run(train({"-q", "--vocab-size", "270"})).exit_code, 0);
  const ProcessResult result = tokenize({text_, "--kind", "bpe,unigram", "--tokenizer", output_, "--json", "-q"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const Json kinds = Json::parse(result.out).at("kinds");
  EXPECT_EQ(kinds[0].at("vocabulary_size"), 270);
  EXPECT_EQ(kinds[1].at("vocabulary"), "learnt from this text just now");
}

TEST_F(TokenizeKinds, WrongUse) {
  const auto expect = [](const Words& words, int exit_code, std::string_view part) {
    const ProcessResult result = tokenize(words);
    EXPECT_EQ(result.exit_code, exit_code) << result.err;
    EXPECT_NE(result.err.find(part), std::string::npos) << result.err;
    EXPECT_EQ(result.out, "");
  };
  expect({text_, "--kind", "letters"}, 2, "letters");
  expect({text_, "--kind", "bpe", "--ids"}, 2, "--ids");
  expect({text_, "--tokenizer", text_}, 2, "expected a .json, .model, .tiktoken or .gguf file");
  expect({text_, "--tokenizer", folder_.file("none.json")}, 1, "none.json");
  expect({text_, "--tokenizer", folder_.file("cl100k_base.tiktoken")}, 1, "cl100k_base.tiktoken: No such file");
  expect({text_, "--tokenizer", folder_.file("none.tiktoken")}, 1, "cl100k_base");
  expect({text_, "--tokenizer", folder_.file("none.json"), "--encoding", "qwen"}, 2, "--encoding: only for .tiktoken");
  expect({write("blank.txt", " \n"), "--kind", "word"}, 1, "blank.txt: expected text, found none");
  expect({write("bad.txt", "a\xFF"), "--kind", "bpe"}, 1, "bad.txt: expected UTF-8 text");
  ASSERT_EQ(run(train({"-q"})).exit_code, 0);
  expect({text_, "--kind", "unigram", "--tokenizer", output_}, 2, "--kind: expected");
}

}  // namespace
}  // namespace kvzip
