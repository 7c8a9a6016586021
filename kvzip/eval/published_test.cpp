#include "kvzip/eval/published.h"

#include <gtest/gtest.h>

#include <fstream>

#include "kvzip/eval/error_message_test.h"
#include "kvzip/eval/normalize.h"
#include "kvzip/eval/source_code.h"
#include "kvzip/eval/task.h"
#include "tests/test_paths.h"

namespace kvzip {
namespace {

size_t count_words(std::string_view text) { return split_words(text).size(); }

void expect_message(const std::function<void()>& run, const std::vector<std::string>& parts) {
  const std::string message = message_of(run);
  for (const std::string& part : parts) EXPECT_NE(message.find(part), std::string::npos) << part << " in: " << message;
}

TEST(Published, SquadQuestionsAreGroupedByTheirContext) {
  constexpr std::string_view kFile = R"({"version": "1.1", "data": [
    {"title": "T", "paragraphs": [
      {"context": "First text.", "qas": [
        {"id": "1", "question": "Which?", "answers": [{"text": "first", "answer_start": 0}, {"text": "other"}]},
        {"id": "2", "question": "None?", "answers": [], "is_impossible": true}]},
      {"context": "Second text.", "qas": [{"question": "Which one?", "answers": [{"text": "second"}]}]}]},
    {"paragraphs": [{"context": "First text.", "qas": [{"question": "Again?", "answers": [{"text": "text"}]}]}]}]})";
  const auto documents = squad_documents("s.json", kFile);
  ASSERT_EQ(documents.size(), 2U);
  EXPECT_EQ(documents[0].context, "First text.");
  ASSERT_EQ(documents[0].questions.size(), 2U);
  EXPECT_EQ(documents[0].questions[0].answer, "first");
  EXPECT_EQ(documents[0].questions[1].text, "Again?");
  EXPECT_EQ(documents[1].questions[0].answer, "second");

  const std::string rows = R"({"context": "A.", "question": "Q1", "answers": {"text": ["a"], "answer_start": [0]}})"
                           "\n\n"
                           R"({"context": "A.", "question": "Q2", "answers": {"text": [], "answer_start": []}})"
                           "\n"
                           R"({"context": "A.", "question": "Q3", "answers": {"text": ["c", "d"]}})";
  const auto from_rows = squad_documents("s.jsonl", json_lines("s.jsonl", rows));
  ASSERT_EQ(from_rows.size(), 1U);
  EXPECT_EQ(from_rows[0].questions.size(), 2U);

  expect_message([] { squad_documents("s.json", R"({"data": [{"paragraphs": [{"qas": []}]}]})"); },
                 {"s.json", "context"});
  expect_message([] { squad_documents("s.json", R"({"rows": []})"); }, {"s.json: data"});
  expect_message([] { squad_documents("s.json", R"({"data": []})"); }, {"s.json", "found none"});
  expect_message([] { squad_documents("s", json_lines("s", R"({"context": "A.", "question": "Q"})")); },
                 {"s: line 1", "answers"});
  expect_message(
      [] {
        squad_documents("s", json_lines("s", R"({"context": "A.", "question": "Q", "answers": {"text": [" "]}})"));
      },
      {"s: line 1", "aren't empty"});
}

TEST(Published, GsmAsksTheLastSentenceOfLongProblems) {
  std::string longer;
  for (int i = 0; i < 72; ++i) longer += "word" + std::to_string(i) + (i == 40 ? ". " : " ");
  const std::string lines = R"({"question": "Short. How many?", "answer": "#### 3"})"
                            "\n{\"question\": \"" +
                            longer + "end. How many are left?\", \"answer\": \"so it is\\n#### 42\"}\n";
  const auto documents = gsm_documents("g.jsonl", json_lines("g.jsonl", lines), count_words);
  ASSERT_EQ(documents.size(), 1U);
  EXPECT_TRUE(documents[0].context.ends_with("word71 end."));
  EXPECT_EQ(documents[0].questions[0].text, "How many are left?");
  EXPECT_EQ(grade(documents[0].questions[0].metric, "The answer is 42.", documents[0].questions[0].answer), 1);
  expect_message([&] { gsm_documents("g", json_lines("g", lines.substr(0, lines.find('\n'))), count_words); },
                 {"g", "at least 72 tokens"});
  expect_message([] { gsm_documents("g", json_lines("g", "\n{\"question\": \"x\"}"), count_words); },
                 {"g: line 2", "answer"});
  expect_message([] { gsm_documents("g", json_lines("g", "{\"question\": "), count_words); }, {"g: line 1"});
}

TEST(Published, ScbenchRowsHaveTheMetricOfTheirTask) {
  const std::string vt = R"({"prompts": ["VAR A = 1", "Which?"], "ground_truth": [["A", "B"]]})";
  const auto chains = scbench_documents("v", json_lines("v", vt), "vt");
  EXPECT_EQ(chains.at(0).questions.at(0).answer, "A, B");
  EXPECT_EQ(chains.at(0).questions.at(0).metric, Metric::include_all);
  const std::string shots =
      R"({"prompts": ["examples", "What?\n(A) one\n(C) three \nSay it."], "ground_truth": ["C"]})";
  const auto options = scbench_documents("m", json_lines("m", shots), "many_shot");
  EXPECT_EQ(options.at(0).questions.at(0).answer, "(C) three");
  const std::string numbers = R"({"prompts": ["1 2", "Sum?"], "ground_truth": [3]})";
  EXPECT_EQ(scbench_documents("n", json_lines("n", numbers), "mf").at(0).questions.at(0).answer, "3");
  const std::string mixed =
      R"({"prompts": ["c", "q", "r"], "ground_truth": ["x", "y"], "task": ["scbench_summary", "scbench_passkey"]})";
  const auto both = scbench_documents("b", json_lines("b", mixed), "summary_with_needles");
  EXPECT_EQ(both.at(0).questions.at(0).metric, Metric::rouge);
  EXPECT_EQ(both.at(0).questions.at(1).metric, Metric::include);

  expect_message([] { scbench_documents("p", json_lines("p", R"({"prompts": ["c", "q"]})"), "kv"); },
                 {"p: line 1: ground_truth"});
  expect_message([] { scbench_documents("p", json_lines("p", R"({"prompts": ["c"], "ground_truth": []})"), "kv"); },
                 {"prompts"});
  expect_message(
      [] { scbench_documents("p", json_lines("p", R"({"prompts": ["c", "q"], "ground_truth": [""]})"), "kv"); },
      {"aren't empty"});
}

TEST(Published, FunctionsOfSCBench) {
  if (!parses_source_code()) GTEST_SKIP() << "this build has no tree-sitter";
  const auto rows = [](const std::string& more) {
    return R"({"prompts": ["code", "adds?", "key?", "doubles?"], "ground_truth": ["def add(a, b):\n  # both\n  return a + b",
"val-7", "def twice(a):\n  return 2 * a"], )" +
           more + "}";
  };
  const auto one_line = [](std::string text) {
    std::erase(text, '\n');
    return text;
  };
  const std::string tasks = R"("task": ["scbench_repoqa", "scbench_kv", "scbench_repoqa"])";
  const std::string good =
      one_line(rows(R"("lang": "python", "repo": "r", "func_name": ["add", null, "twice"], )" + tasks));
  const auto documents = scbench_documents("f", json_lines("f", good), "repoqa_and_kv");
  const auto& questions = documents.at(0).questions;
  EXPECT_EQ(questions.at(0).metric, Metric::repoqa);
  EXPECT_EQ(questions.at(1).metric, Metric::include);
  EXPECT_EQ(questions.at(2).function, "twice");
  EXPECT_EQ(questions.at(2).functions->functions.size(), 3U);
  EXPECT_EQ(grade(questions.at(0), "def add(a, b):\n  # both\n  return a + b"), 1);
  EXPECT_EQ(grade(questions.at(0), "def twice(a):\n  return 2 * a"), 0);
  EXPECT_EQ(grade(questions.at(1), "It is val-7."), 1);
  // Without comments it is the same function.
  const std::string other =
      "```\ndef add(a, b):\n  # all sums that there may be, of whatever they are\n  return a + b\n```";
  EXPECT_EQ(grade(questions.at(0), other), 0);
  const std::string only = one_line(rows(R"("lang": "python", "func_name": ["add", "key", "twice"])"));
  EXPECT_EQ(grade(scbench_documents("f", json_lines("f", only), "repoqa").at(0).questions.at(0), other), 0);
  EXPECT_EQ(
      grade(scbench_documents("f", json_lines("f", only), "repoqa_without_comments").at(0).questions.at(0), other), 1);
  const auto refused = [&](const std::string& more, const std::string& part) {
    const std::string lines = one_line(rows(more));
    const std::string message = message_of([&] { scbench_documents("f", json_lines("f", lines), "repoqa"); });
    EXPECT_NE(message.find("f: line 1"), std::string::npos) << message;
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  refused(R"("func_name": ["a", "b", "c"])", "lang");
  refused(R"("lang": "cobol", "func_name": ["a", "b", "c"])", "typescript, found 'cobol'");
  refused(R"("lang": "go", "func_name": ["a", "b"])", "3 names");
  refused(R"("lang": "go", "func_name": ["a", null, "c"])", "a name for each question");
  refused(R"("lang": "go", "func_name": ["a", 3, "c"])", "func_name");
  refused(R"("lang": "go")", "func_name");
}

TEST(Published, NeedlesLieAtTheEndsOfSentences) {
  const TempFolder folder;
  expect_message([&] { read_needle_folder(folder.path(), count_words); }, {folder.path(), ".txt"});
  std::string text;
  for (int i = 0; i < 500; ++i) text += "This is sentence number " + std::to_string(i) + ".\n";
  std::ofstream(folder.file("b.txt")) << text;
  std::ofstream(folder.file("a.txt")) << "At the beginning.\n";
  std::ofstream(folder.file("c.md")) << "Not this one.";
  const auto documents = read_needle_folder(folder.path(), count_words);
  ASSERT_EQ(documents.size(), 22U) << "2,500 words are enough for 500 and 2,000";
  for (size_t i = 0; i < documents.size(); ++i) {
    const std::string& context = documents[i].context;
    EXPECT_EQ(documents[i].target_tokens, i < 11 ? 500U : 2000U);
    EXPECT_LE(count_words(context), documents[i].target_tokens);
    EXPECT_GE(count_words(context), documents[i].target_tokens - 30);
    const size_t at = context.find("\nThe best thing");
    ASSERT_NE(at, std::string::npos);
    EXPECT_NEAR(static_cast<double>(at) / static_cast<double>(context.size()), *documents[i].depth, 0.05);
    if (i % 11 != 0 && i % 11 != 10) {
      EXPECT_EQ(context[at - 1], '.');
    }
    EXPECT_EQ(documents[i].questions.size(), 1U);
  }
  EXPECT_TRUE(documents[1].context.starts_with("At the beginning."));
}

TEST(Published, TasksOpenTheirFiles) {
  const TempFolder folder;
  std::ofstream(folder.file("s.json"))
      << R"({"data": [{"paragraphs": [{"context": "C.", "qas": [{"question": "Q", "answers": [{"text": "a"}]}]}]}]})";
  const auto squad = open_task(find_task("squad"), {.files = folder.file("s.json"), .count = count_words});
  EXPECT_EQ(squad->size(), 1U);
  EXPECT_EQ(&find_task("scbench_kv_tiny"), &find_task("scbench_kv"));
  EXPECT_EQ(find_task("scbench_summary_short").max_tokens, 256U);
  EXPECT_EQ(find_task("scbench_mf").max_tokens, 32U);
  EXPECT_EQ(find_task("gsm").max_tokens, 512U);
  expect_message([] { find_task("qa_tiny"); }, {"qa_tiny"});
  expect_message([] { open_task(find_task("gsm"), {}); }, {"gsm", "--files"});
  expect_message([&] { open_task(find_task("gsm"), {.files = folder.file("none")}); }, {"none"});
}

}  // namespace
}  // namespace kvzip
