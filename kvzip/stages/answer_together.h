// Answering several questions at once: every pass computes the next token of each, so that weights and memory are read
// once for all of them.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "kvzip/stages/answer.h"

namespace kvzip {

/// Answers each question on its own, as the first one of a Conversation over `past` would be, whose last row stands at
/// first_position - 1. The answers are the same, up to how products of several rows round. `on_text` gets the pieces of
/// all answers as they are made; returning false ends the one that the piece belongs to. Throws Error{input} for a
/// question that doesn't fit into the model's context.
std::vector<Answer> answer_together(const Model& model, const PastFn& past, size_t first_position, DType kv_type,
                                    std::span<const std::string> questions, const AnswerOptions& options = {});

}  // namespace kvzip
