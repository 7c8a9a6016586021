#include "kvzip/eval/published.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "kvzip/base/json.h"
#include "kvzip/base/json_fields.h"
#include "kvzip/base/mapped_file.h"
#include "kvzip/eval/normalize.h"
#include "kvzip/eval/some_text.h"
#include "kvzip/eval/source_code.h"

namespace kvzip {
namespace {

using nlohmann::json;

constexpr JsonLimits kPublishedLimits = {.bytes = size_t{1} << 30U};
constexpr size_t kShortestGsm = 72;  // tokens of a context
constexpr std::string_view kWithoutComments = "_without_comments";

const json& list_of(const JsonFields& fields, std::string_view key) {
  const json* list = fields.find(key);
  if (list == nullptr || !list->is_array()) fields.fail(key, "a list");
  return *list;
}

void expect_some(const std::string& file, const std::vector<EvalDocument>& documents, std::string_view what) {
  if (documents.empty()) throw Error(ErrorCode::input, fmt::format("{}: expected {}, found none", file, what));
}

/// Groups questions by the text they are about, in the order in which the texts come.
class ByContext {
 public:
  void add(const std::string& context, EvalQuestion question) {
    const auto [place, is_new] = places_.try_emplace(context, documents_.size());
    if (is_new) documents_.push_back({context, {}, {}, 0});
    documents_[place->second].questions.push_back(std::move(question));
  }
  std::vector<EvalDocument> take(const std::string& file) {
    expect_some(file, documents_, "questions with answers");
    return std::move(documents_);
  }

 private:
  std::map<std::string, size_t> places_;
  std::vector<EvalDocument> documents_;
};

void add_paragraph(const JsonFields& paragraph, ByContext& documents) {
  const std::string context = some_text(paragraph, "context");
  for (const json& each : list_of(paragraph, "qas")) {
    const JsonFields question(paragraph.file(), each, "qas");
    const json& answers = list_of(question, "answers");
    if (answers.empty()) continue;  // a question of SQuAD 2.0 that can't be answered
    const JsonFields answer(paragraph.file(), answers.front(), "answers");
    documents.add(context, {some_text(question, "question"), some_text(answer, "text"), Metric::include});
  }
}

Metric scbench_metric(std::string_view name) {
  if (name.starts_with("vt")) return Metric::include_all;
  if (name.starts_with("mf")) return Metric::exact;
  if (name.starts_with("many_shot")) return Metric::many_shot;
  if (name.find("summary") != std::string_view::npos) return Metric::rouge;
  if (name.starts_with("qa_eng")) return Metric::f1_or_include;
  if (name.starts_with("choice_eng")) return Metric::first_line;
  if (name.starts_with("repoqa")) return Metric::repoqa;
  return Metric::include;
}

std::string answer_of(const JsonFields& row, const json& truth) {
  std::string answer;
  if (truth.is_array()) {
    for (const json& part : truth)
      answer += (answer.empty() ? "" : ", ") + (part.is_string() ? part.get<std::string>() : part.dump());
  } else {
    answer = truth.is_string() ? truth.get<std::string>() : truth.dump();
  }
  if (strip_text(answer).empty()) row.fail("ground_truth", "answers that aren't empty");
  return answer;
}

/// "C" and the question's options -> "(C) words": the line of the question that has the letter.
std::string whole_option(const std::string& question, const std::string& letter) {
  const size_t at = question.find("(" + letter + ")");
  if (at == std::string::npos) return letter;
  return std::string(strip_text(question.substr(at, question.find('\n', at) - at)));
}

/// A name for each question; null, of one that isn't about a function, counts as empty.
std::vector<std::string> function_names(const JsonFields& row, size_t questions) {
  const json& list = list_of(row, "func_name");
  std::vector<std::string> names;
  for (const json& name : list) {
    if (!name.is_string() && !name.is_null()) row.fail("func_name", "a list of names");
    names.push_back(name.is_string() ? name.get<std::string>() : "");
  }
  if (names.size() != questions) row.fail("func_name", fmt::format("{} names, one per question", questions));
  return names;
}

/// Gives the questions what they are graded by. As in the original, all answers of the row are among what is compared.
void add_functions(const JsonFields& row, const std::vector<std::string>& names, bool ignore_comments,
                   std::vector<EvalQuestion>& questions) {
  const std::string language = some_text(row, "lang");
  if (!is_code_language(language)) row.fail("lang", "cpp, go, java, python, rust or typescript");
  CodeFunctions functions{language, ignore_comments, {}};
  for (size_t i = 0; i < questions.size(); ++i) {
    const std::string& code = questions[i].answer;
    functions.functions.push_back({names[i], ignore_comments ? without_comments(language, code) : code});
  }
  const auto shared = std::make_shared<const CodeFunctions>(std::move(functions));
  for (size_t i = 0; i < questions.size(); ++i) {
    if (questions[i].metric != Metric::repoqa) continue;
    if (names[i].empty()) row.fail("func_name", "a name for each question about a function");
    questions[i].functions = shared;
    questions[i].function = names[i];
  }
}

}  // namespace

std::string read_text_file(const std::string& path) {
  const MappedFile file(path);
  if (file.bytes().size() > kPublishedLimits.bytes)
    throw Error(ErrorCode::input, fmt::format("{}: expected at most 1 GiB, found {} bytes", path, file.bytes().size()));
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

RowSource json_lines(const std::string& file, std::string_view lines) {
  return [file, lines](const VisitRow& visit) {
    size_t number = 0;
    for (size_t begin = 0; begin < lines.size();) {
      const size_t end = std::min(lines.find('\n', begin), lines.size());
      const std::string_view line = lines.substr(begin, end - begin);
      ++number;
      begin = end + 1;
      if (strip_text(line).empty()) continue;
      const std::string place = fmt::format("{}: line {}", file, number);
      const json row = parse_json(place, line, kPublishedLimits);
      visit(JsonFields(place, row));
    }
  };
}

std::vector<EvalDocument> squad_documents(const std::string& file, std::string_view json_text) {
  const json root = parse_json(file, json_text, kPublishedLimits);
  ByContext documents;
  for (const json& article : list_of(JsonFields(file, root), "data")) {
    for (const json& paragraph : list_of(JsonFields(file, article, "data"), "paragraphs"))
      add_paragraph(JsonFields(file, paragraph, "paragraphs"), documents);
  }
  return documents.take(file);
}

std::vector<EvalDocument> squad_documents(const std::string& file, const RowSource& rows) {
  ByContext documents;
  rows([&](const JsonFields& row) {
    const auto answers = row.find_object("answers");
    if (!answers) row.fail("answers", "an object with texts");
    const auto texts = answers->find_strings("text");
    if (!texts) answers->fail("text", "a list of texts");
    if (texts->empty()) return;  // a question of SQuAD 2.0 that can't be answered
    if (strip_text(texts->front()).empty()) answers->fail("text", "answers that aren't empty");
    documents.add(some_text(row, "context"),
                  {some_text(row, "question"), std::string(texts->front()), Metric::include});
  });
  return documents.take(file);
}

std::vector<EvalDocument> gsm_documents(const std::string& file, const RowSource& rows, const CountTokens& count) {
  constexpr std::string_view kEnd = ". ";
  std::vector<EvalDocument> documents;
  rows([&](const JsonFields& row) {
    const std::string problem = some_text(row, "question");
    const std::string answer = some_text(row, "answer");
    const size_t last = problem.rfind(kEnd);
    const std::string context = std::string(strip_text(last == std::string::npos ? "" : problem.substr(0, last))) + ".";
    const std::string question(strip_text(last == std::string::npos ? problem : problem.substr(last + kEnd.size())));
    if (count(context) < kShortestGsm || question.empty()) return;
    documents.push_back({context, {{question, answer, Metric::gsm}}, {}, 0});
  });
  expect_some(file, documents, "problems with a context of at least 72 tokens");
  return documents;
}

std::vector<EvalDocument> scbench_documents(const std::string& file, const RowSource& rows, std::string_view name) {
  const bool asks_for_functions = name.starts_with("repoqa");
  std::vector<EvalDocument> documents;
  rows([&](const JsonFields& row) {
    const auto prompts = row.find_strings("prompts");
    if (!prompts || prompts->size() < 2) row.fail("prompts", "a context and at least one question");
    const json& truths = list_of(row, "ground_truth");
    if (truths.size() != prompts->size() - 1)
      row.fail("ground_truth", fmt::format("{} answers, one per question", prompts->size() - 1));
    const auto subtasks = row.find_strings("task");
    if (subtasks && subtasks->size() != truths.size())
      row.fail("task", fmt::format("{} names, one per question", truths.size()));
    EvalDocument document{std::string(prompts->front()), {}, {}, 0};
    if (strip_text(document.context).empty()) row.fail("prompts", "a context that isn't empty");
    const std::vector<std::string> names =
        asks_for_functions ? function_names(row, truths.size()) : std::vector<std::string>();
    for (size_t i = 0; i < truths.size(); ++i) {
      std::string_view subtask = subtasks ? (*subtasks)[i] : name;
      if (subtask.starts_with("scbench_")) subtask.remove_prefix(8);
      const std::string question((*prompts)[i + 1]);
      std::string answer = answer_of(row, truths[i]);
      const Metric metric = scbench_metric(subtask);
      if (metric == Metric::many_shot) answer = whole_option(question, answer);
      document.questions.push_back({question, answer, metric});
    }
    if (asks_for_functions) add_functions(row, names, name.ends_with(kWithoutComments), document.questions);
    documents.push_back(std::move(document));
  });
  expect_some(file, documents, "rows");
  return documents;
}

}  // namespace kvzip
