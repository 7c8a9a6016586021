// Compression: the rows that count, in score order; the rest of the reading is freed.
#pragma once

#include "kvzip/cache/context.h"
#include "kvzip/policy/level.h"
#include "kvzip/stages/prefill.h"

namespace kvzip {

/// Keeps `keep` of every head (at least what later cuts will use: a Context can be cut further, never extended). Throws
/// Error{memory}. The context's rows are of the reading's kv_type. `scores` and `keep` are of all heads of the model;
/// where several devices share it, the context has the device's own, and cuts of it take own_keep() (shared_heads.h).
Context compress(const Model& model, Reading&& reading, Scores scores, const Keep& keep);

/// Keeps everything, unscored and in reading order: for a reading whose kv_type only a context can hold. Throws
/// Error{memory}.
Context hold_all(const Model& model, Reading&& reading);

/// Keeps about `ratio` (0 < ratio <= 1, the fraction KEPT) of all pairs by one threshold, as Level::pair does.
Context compress(const Model& model, Reading&& reading, Scores scores, double ratio);

/// What lies behind a question: the rows of a context that a cut names. The cut must outlive the result.
PastFn past_of(const ContextCut& cut);

}  // namespace kvzip
