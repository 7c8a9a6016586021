#include "kvzip/cli/streaming.h"

#include <fmt/format.h>

#include "kvzip/cli/display_text.h"
#include "kvzip/cli/format.h"
#include "kvzip/cli/interrupt.h"
#include "kvzip/cli/terminal.h"

namespace kvzip::cli {

AnswerOptions streaming(AnswerOptions options) {
  options.on_text = [terminal = is_terminal(stdout)](std::string_view text) {
    fmt::print("{}", terminal ? printable(text) : text);
    std::fflush(stdout);
    return !interrupted();
  };
  return options;
}

AnswerOptions silent(AnswerOptions options) {
  options.on_text = [](std::string_view) { return !interrupted(); };
  return options;
}

void note_answer(const Answer& answer, ProgressBar& bar) {
  std::string line = fmt::format("[{}, the first after {}", counted(answer.ids.size(), "token"),
                                 format_seconds(answer.first_token_seconds));
  if (answer.tokens_per_second() > 0) line += ", then " + format_rate(answer.tokens_per_second());
  if (answer.reason == StopReason::max_tokens) line += "; cut at --max-tokens";
  if (answer.reason == StopReason::context_full) line += "; the model's context is full";
  bar.note(line + "]");
}

}  // namespace kvzip::cli
