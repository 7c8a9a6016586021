// The fixed parts of every prompt, in token ids.
#pragma once

#include <string_view>
#include <vector>

#include "kvzip/model/model.h"

namespace kvzip {

/// What the prompt says right before the document; the second one is for questions that take several steps.
inline constexpr std::string_view kAnswerTask =
    "Given the context, answer to the following question or request without explanation.\n\n";
inline constexpr std::string_view kReasonTask = "Given the context, answer to the following reasoning question.\n\n";

/// What stands before the document: the template's prefix with the task line. Its rows are never evicted.
std::vector<TokenId> system_ids(const Model& model, std::string_view task_line = kAnswerTask);
/// What closes the user's turn and opens the assistant's.
std::vector<TokenId> postfix_ids(const Model& model);
/// A text by itself, with the token that opens every text where the model was trained with one.
std::vector<TokenId> opened_ids(const Model& model, std::string_view text);
/// A question right after the document. Throws Error{usage} where it is empty.
std::vector<TokenId> question_ids(const Model& model, std::string_view question);
/// A further question, after an answer that ended with its own stop token or not.
std::vector<TokenId> next_question_ids(const Model& model, std::string_view question);

}  // namespace kvzip
