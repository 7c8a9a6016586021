#include "kvzip/cli/questions.h"

#include <fmt/format.h>

#include <iostream>

#include "kvzip/base/error.h"
#include "kvzip/cli/interrupt.h"
#include "kvzip/cli/read_document.h"
#include "kvzip/cli/terminal.h"

namespace kvzip::cli {

std::optional<std::vector<std::string>> gather_questions(const QuestionSources& sources) {
  std::vector<std::string> questions = sources.arguments;
  if (!sources.file.empty()) {
    const std::vector<std::string> lines = read_lines(sources.file);
    if (lines.empty())
      throw Error(ErrorCode::input,
                  fmt::format("{}: expected a question per line, found none", document_name(sources.file)));
    questions.insert(questions.end(), lines.begin(), lines.end());
  }
  for (const std::string& question : questions) {
    if (question.find_first_not_of(" \t\r\n") == std::string::npos)
      throw Error(ErrorCode::usage, "question: expected some text, found none");
  }
  if (!questions.empty()) return questions;
  if (sources.document == "-") {
    throw Error(ErrorCode::usage,
                "questions: standard input holds the document; give them as arguments or with --questions FILE");
  }
  if (is_terminal(stdin)) {
    if (sources.may_prompt) return std::nullopt;
    throw Error(ErrorCode::usage, "questions: expected some, as arguments, with --questions FILE or on standard input");
  }
  questions = read_lines("-");
  if (questions.empty())
    throw Error(ErrorCode::usage, "questions: expected some, as arguments, with --questions FILE or on standard input");
  return questions;
}

std::optional<std::string> prompt_line(bool show_prompt) {
  if (show_prompt) {
    fmt::print(stderr, "{} ", styled(">", Style::heading, wants_colours(stderr)));
    std::fflush(stderr);
  }
  std::string line;
  const bool got = static_cast<bool>(std::getline(std::cin, line));
  if (!got && show_prompt) fmt::print(stderr, "\n");
  throw_if_interrupted();
  if (!got || line.find_first_not_of(" \t\r") == std::string::npos) return std::nullopt;
  return line;
}

}  // namespace kvzip::cli
