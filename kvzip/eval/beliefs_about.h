// What a memory thinks of an answer. One thread; uses the model's backend.
#pragma once

#include <span>

#include "kvzip/eval/beliefs.h"
#include "kvzip/stages/answer.h"

namespace kvzip {

/// What `conversation` expects after `question` (question_ids()), beside what `answer` says. What was said before, if
/// anything, must have begun with `question`, which then isn't read again; the rest is forgotten.
Beliefs beliefs_about(Conversation& conversation, std::span<const TokenId> question, std::span<const TokenId> answer);

}  // namespace kvzip
