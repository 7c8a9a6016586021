#include "kvzip/eval/function_match.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "kvzip/base/json.h"
#include "kvzip/eval/bleu.h"
#include "kvzip/eval/document.h"
#include "kvzip/eval/source_code.h"

namespace kvzip {
namespace {

using nlohmann::json;

/// What nltk, tree-sitter-languages and RepoQA's queries give: golden/make_repoqa_golden.py.
const json& golden() {
  static const json kAll = read_json(KVZIP_SOURCE_DIR "/tests/golden/metrics/repoqa.json");
  return kAll;
}

std::string text(const json& value) { return value.get<std::string>(); }

class FunctionMatches : public testing::Test {
 protected:
  void SetUp() override {
    if (!parses_source_code()) GTEST_SKIP() << "this build has no tree-sitter";
  }
};

TEST(Bleu, IsThatOfNltk) {
  size_t between = 0;
  for (const json& each : golden().at("bleu")) {
    const auto expected = each.at(2).get<double>();
    EXPECT_NEAR(sentence_bleu(text(each.at(0)), text(each.at(1))), expected, 1e-12) << each;
    if (expected > 0 && expected < 1) ++between;
  }
  EXPECT_GT(between, 100U);
}

TEST(Bleu, ByHand) {
  EXPECT_DOUBLE_EQ(sentence_bleu("a b c d", "a b c d"), 1);
  EXPECT_DOUBLE_EQ(sentence_bleu("", ""), 1);
  EXPECT_DOUBLE_EQ(sentence_bleu("x", "a b"), 0);
  // Three of four words, one of three pairs, none of two and one longer runs, which count as log(4)/10 and log(4)/20.
  const double product = 3.0 / 4 * 1 / 3 * (std::log(4) / 10 / 2) * (std::log(4) / 20 / 1);
  EXPECT_NEAR(sentence_bleu("a b x c", "a b c d e"), std::pow(product, 0.25) * std::exp(1 - 5.0 / 4), 1e-12);
}

TEST_F(FunctionMatches, BlocksOfAnswers) {
  for (const json& each : golden().at("blocks"))
    EXPECT_EQ(answered_function(text(each.at(0)), text(each.at(1))), text(each.at(2))) << each;
}

TEST_F(FunctionMatches, CommentsAreRemoved) {
  for (const json& each : golden().at("comments"))
    EXPECT_EQ(without_comments(text(each.at(0)), text(each.at(1))), text(each.at(2))) << each;
}

TEST_F(FunctionMatches, TheBestIsTheOriginals) {
  size_t given = 0;
  for (const json& each : golden().at("matches")) {
    for (const bool ignored : {false, true}) {
      CodeFunctions functions{text(each.at("language")), ignored, {}};
      for (const auto& [name, code] : each.at("functions").items()) {
        const std::string stripped = ignored ? without_comments(functions.language, text(code)) : text(code);
        functions.functions.push_back({name, stripped});
      }
      const FunctionMatch best = best_match(functions, text(each.at("answer")));
      const json& expected = each.at(ignored ? "removed" : "kept");
      EXPECT_EQ(best.name, expected.at("name").is_null() ? "" : text(expected.at("name"))) << each;
      EXPECT_NEAR(best.similarity, expected.at("similarity").get<double>(), 1e-12) << each;
      const bool alike = expected.at("similarity") >= 0.8;
      EXPECT_EQ(gives_function(functions, best.name, text(each.at("answer"))), alike);
      EXPECT_FALSE(gives_function(functions, "another", text(each.at("answer"))));
      if (alike) ++given;
    }
  }
  EXPECT_GT(given, 30U);
}

TEST_F(FunctionMatches, GradeQuestions) {
  const auto functions = std::make_shared<const CodeFunctions>(
      CodeFunctions{"python", false, {{"a", "def a(x):\n  return x + 1\n"}, {"b", "def b(y, z):\n  return y * z\n"}}});
  const EvalQuestion question{"which?", functions->functions[1].code, Metric::repoqa, functions, "b"};
  EXPECT_EQ(grade(question, "```python\ndef b(y, z):\n  return y * z\n```</s>"), 1);
  EXPECT_EQ(grade(question, "def b(y, z):  return y * z"), 1) << "without a block";
  EXPECT_EQ(grade(question, "def a(x):\n  return x + 1"), 0) << "the other one";
  EXPECT_EQ(grade(question, "def b(y, z):\n  return sum(y, z) and more"), 0) << "not alike enough";
  EXPECT_EQ(grade(question, " </s>"), 0);
}

// Answers are a model's: they may be anything.
TEST_F(FunctionMatches, AnyAnswerIsParsed) {
  std::string nested = "```\n";
  for (int i = 0; i < 20'000; ++i) nested += "f(";
  for (const std::string& answer : {std::string("```\n\xff\xfe\x00(\n```", 11), nested + "\n```", std::string(4, '`'),
                                    std::string("```\n```\n```\n```")}) {
    for (const char* language : {"cpp", "go", "java", "python", "rust", "typescript"}) {
      const std::string function = answered_function(language, answer);
      EXPECT_LE(function.size(), answer.size());
      EXPECT_LE(without_comments(language, function).size(), function.size());
    }
  }
}

}  // namespace
}  // namespace kvzip
