// What `kvzip view --answers` shows: questions put to the full memory of a document and to what is kept. Stateless.
#pragma once

#include <string>
#include <vector>

#include "kvzip/cli/engine.h"
#include "kvzip/view/answers_page.h"

namespace kvzip::cli {

struct AnswersRequest {
  std::vector<std::string> questions;
  std::string keep;       ///< of the kept memory, as parse_keep() takes it
  AnswerOptions answers;  ///< of every answer
};

/// Over the document at `path` ("-" for standard input) that holds `text`. Throws as reading, scoring and answering do.
ViewedAnswers answers_about(const Engine& engine, const std::string& path, const std::string& text,
                            const ReadingFlags& reading, const AnswersRequest& request, ProgressBar& bar);

}  // namespace kvzip::cli
