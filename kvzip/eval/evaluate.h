// One document: read once, scored once, and answered from at every ratio; or streamed for each of them. One thread;
// uses the model's backend.
#pragma once

#include <optional>
#include <vector>

#include "kvzip/eval/method.h"
#include "kvzip/eval/record.h"
#include "kvzip/eval/task.h"
#include "kvzip/policy/level.h"
#include "kvzip/stages/stream.h"

namespace kvzip {

struct EvaluateOptions {
  std::vector<double> ratios;  ///< each in (0, 1], the fraction KEPT
  Level level = Level::pair;
  const Method* method = nullptr;  ///< null: the published one
  /// Read so in place of whole, anew for each ratio; ratio, level and types are those of this evaluation.
  std::optional<StreamOptions> stream{};
  const Gate* gate = nullptr;  ///< scores by it, in place of the method
  DType kv_type = DType::f16;
  size_t batch = 0;          ///< tokens per pass; 0 = by the device and its memory
  size_t max_questions = 0;  ///< the first ones of the document; 0 = all
  ProgressFn progress{};     ///< stage "evaluating", in steps: one for reading, one for scoring, one per answer
};

/// What may differ from run to run. Seconds; where each ratio has a reading of its own, they are those of one on
/// average.
struct DocumentTimes {
  double reading = 0;
  double scoring = 0;
  double compression = 0;
  std::vector<double> answers;        ///< of all questions: from the full memory, then from each cut
  std::vector<size_t> answer_tokens;  ///< generated in them
};

/// The steps that evaluate_document() reports.
size_t steps_of(const EvalDocument& document, const EvaluateOptions& options);

/// The tokens that the document, its longest question and an answer need; more than the model's context: it must be
/// skipped.
size_t tokens_needed(const Model& model, const Task& task, const EvalDocument& document);

/// All answers and what the memories think of them; `settings` and `index` of the result are the caller's to set.
/// Throws what the stages throw.
DocumentRecord evaluate_document(const Model& model, const Task& task, const EvalDocument& document,
                                 const EvaluateOptions& options, DocumentTimes& times);

}  // namespace kvzip
