#include "kvzip/eval/task.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "kvzip/eval/error_message_test.h"
#include "kvzip/eval/normalize.h"
#include "kvzip/eval/qa_documents.h"
#include "tests/test_paths.h"

namespace kvzip {
namespace {

size_t count_tokens(std::string_view text) { return text.size() / 4 + 1; }

TEST(Tasks, ShippedDocumentsStateTheirAnswers) {
  const std::vector<EvalDocument> documents = shipped_qa_documents();
  EXPECT_GE(documents.size(), 12U);
  size_t questions = 0;
  for (const EvalDocument& document : documents) {
    SCOPED_TRACE(document.context.substr(0, 40));
    const size_t words = split_words(document.context).size();
    EXPECT_GE(words, 700U);
    EXPECT_LE(words, 1500U);
    std::set<std::string> texts;
    for (const EvalQuestion& question : document.questions) {
      EXPECT_TRUE(include_score(document.context, question.answer)) << question.text;
      EXPECT_FALSE(include_score(question.text, question.answer)) << question.text << " says its answer";
      EXPECT_LE(split_words(question.answer).size(), 8U) << question.text;
      EXPECT_TRUE(texts.insert(question.text).second) << question.text;
    }
    questions += document.questions.size();
  }
  EXPECT_GE(questions, 240U);
}

TEST(Tasks, AreFoundByName) {
  std::set<std::string_view> names;
  for (const Task& task : tasks()) {
    EXPECT_EQ(&find_task(task.name), &task);
    EXPECT_TRUE(names.insert(task.name).second);
    EXPECT_GE(task.max_tokens, 16U);
  }
  EXPECT_NE(message_of([] { find_task("nedle"); }).find("needle"), std::string::npos);
}

TEST(Tasks, OpenWithAndWithoutFiles) {
  const auto generated = open_task(find_task("kv"), {.tokens = 900, .count = count_tokens});
  EXPECT_FALSE(generated->size().has_value());
  EXPECT_EQ(generated->document(5).context, generated->document(5).context);
  EXPECT_EQ(open_task(find_task("qa"), {})->size(), shipped_qa_documents().size());
  EXPECT_NE(message_of([] { open_task(find_task("kv"), {.files = "x"}); }).find("no --files"), std::string::npos);
}

TEST(Tasks, ReadDocumentsOfTheSameForm) {
  const TempFolder folder;
  const auto write = [&](const std::string& name, std::string_view text) { std::ofstream(folder.file(name)) << text; };
  write("b.json", R"({"context": "Second.", "questions": [{"question": "Which?", "answer": "second"}]})");
  write("a.json", R"({"context": "First.", "questions": [{"question": "Which?", "answer": "first"}]})");
  const auto source = open_task(find_task("qa"), {.files = folder.path()});
  ASSERT_EQ(source->size(), 2U);
  EXPECT_EQ(source->document(0).context, "First.");
  EXPECT_EQ(source->document(1).questions.at(0).answer, "second");

  const auto error = [&](std::string_view text) {
    write("bad.json", text);
    return message_of([&] { read_qa_documents(folder.file("bad.json")); });
  };
  EXPECT_NE(error(R"({"questions": []})").find("context: expected"), std::string::npos)
      << error(R"({"questions": []})");
  EXPECT_NE(error(R"({"context": "x", "questions": []})").find("questions: expected"), std::string::npos);
  const std::string blank = error(R"({"context": "x", "questions": [{"question": "?", "answer": " "}]})");
  EXPECT_NE(blank.find("questions[0]"), std::string::npos) << blank;
  EXPECT_NE(blank.find("answer"), std::string::npos) << blank;
  EXPECT_NE(error("[]").find("object"), std::string::npos);
  EXPECT_NE(message_of([&] { read_qa_documents(folder.file("none.json")); }).find("none.json"), std::string::npos);
}

TEST(Tasks, PromptsAreTheOriginals) {
  EXPECT_EQ(prompt_of(find_task("qa"), {"Who?", "me", Metric::include}), "Q: Who?");
  const Task& reasoning = find_task("gsm");
  EXPECT_TRUE(prompt_of(reasoning, {"How many?", "2", Metric::gsm}).ends_with("'The answer is'. Q: How many?"));
  EXPECT_NE(task_line(reasoning).find("reasoning question"), std::string_view::npos);
}

}  // namespace
}  // namespace kvzip
