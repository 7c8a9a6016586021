// Where the questions of `kvzip ask` come from. Stateless.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace kvzip::cli {

struct QuestionSources {
  std::string document;                ///< "-" takes standard input, which then can't hold questions
  std::vector<std::string> arguments;  ///< first choice, with `file`
  std::string file;                    ///< one question per line
  bool may_prompt = true;              ///< whether people can be asked at the terminal
};

/// The questions, or nothing where people are to be prompted for them. Throws Error{usage} where there are none,
/// Error{input} for a file.
std::optional<std::vector<std::string>> gather_questions(const QuestionSources& sources);

/// Prompts for one line on stderr; nothing at an empty line or the end of the input. Throws Error{cancelled} at Ctrl-C.
std::optional<std::string> prompt_line(bool show_prompt);

}  // namespace kvzip::cli
