// What `kvzip view --answers` shows: questions put to the full memory of a document and to what is kept. Stateless.
#pragma once

#include <string>
#include <vector>

#include "kvzip/cli/engine.h"
#include "kvzip/store/context_file.h"
#include "kvzip/view/answers_page.h"

namespace kvzip::cli {

struct AnswersRequest {
  std::vector<std::string> questions;
  std::string keep;       ///< of the kept memory; empty: 0.3, or all of a context file that holds less
  AnswerOptions answers;  ///< of every answer
};

/// Over the document at `path` ("-" for standard input) that holds `text`. Throws as reading, scoring and answering do.
ViewedAnswers answers_of_text(const Engine& engine, const std::string& path, const std::string& text,
                              const ReadingFlags& reading, const AnswersRequest& request, ProgressBar& bar);
/// Over a context file; its full memory is all that it holds.
ViewedAnswers answers_of_context(const Engine& engine, const ContextFile& file, const AnswersRequest& request,
                                 ProgressBar& bar);

}  // namespace kvzip::cli
