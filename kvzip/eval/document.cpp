#include "kvzip/eval/document.h"

#include "kvzip/eval/normalize.h"

namespace kvzip {

double grade(const EvalQuestion& question, std::string_view answer) {
  if (question.metric != Metric::repoqa) return grade(question.metric, answer, question.answer);
  answer = without_end_mark(answer);
  const bool blank = strip_text(answer).empty();
  return !blank && gives_function(*question.functions, question.function, answer) ? 1 : 0;
}

}  // namespace kvzip
