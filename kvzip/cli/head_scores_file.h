// Files of `kvzip scores`: importance per head for level `head`, and all scores of a document. Stateless.
#pragma once

#include <string>

#include "kvzip/policy/level.h"

namespace kvzip::cli {

/// Writes one array "head_score" `[layers, kv_heads]` f32. Throws Error{input} where the file can't be written.
void save_head_scores(const std::string& path, const HeadScores& scores);
/// Throws Error{input} naming the file where that array is missing, of another type or shape, or holds anything but
/// numbers.
HeadScores load_head_scores(const std::string& path);

/// Writes "score" `[layers, kv_heads, len]` f32, "valid" `[layers, kv_heads, len]` u8 (1 = kept) and "layer" `[layers]`
/// f32, the number of each scored layer in the model. A pair is kept where `keep` counts it among its head's best, ties
/// in reading order, as in a Context.
void save_scores(const std::string& path, const Scores& scores, const Keep& keep, const std::vector<size_t>& layers);

}  // namespace kvzip::cli
