// One question put to two memories of a document. One thread; uses the model's backend.
#pragma once

#include <string_view>

#include "kvzip/stages/answer.h"
#include "kvzip/view/answers_page.h"

namespace kvzip {

/// Answers `question` from both cuts of a context, and asks each what it thinks of every token of both answers. Throws
/// as answer() does.
ViewedQuestion view_question(const Model& model, const ContextCut& full, const ContextCut& kept,
                             std::string_view question, const AnswerOptions& options);

}  // namespace kvzip
