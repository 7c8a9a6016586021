// Answers on stdout as they are made. One thread.
#pragma once

#include "kvzip/cli/engine.h"

namespace kvzip::cli {

/// Adds to `options` that the text goes to stdout token by token, made harmless where that is a terminal, and stops at
/// Ctrl-C.
AnswerOptions streaming(AnswerOptions options);
/// Adds to `options` that Ctrl-C stops the answer.
AnswerOptions silent(AnswerOptions options);
/// What there is to say about a finished answer: tokens, times, why it ended.
void note_answer(const Answer& answer, ProgressBar& bar);

}  // namespace kvzip::cli
