// Many documents of one task, each result in a file of its own: what is there is never made again, and a run that was
// killed goes on where it was. Any number of processes may work on different documents of one folder.
#pragma once

#include <string>
#include <vector>

#include "kvzip/eval/evaluate.h"
#include "kvzip/eval/shard.h"

namespace kvzip {

struct RunOptions {
  EvalSettings settings;  ///< those of the results; level, ratios and so on must be those of `evaluate`
  EvaluateOptions evaluate;
  std::string folder = "results";
  size_t first = 0;  ///< number of the first document
  size_t count = 0;  ///< documents, fewer where the task has fewer
  Shard shard;
  ProgressFn progress{};  ///< stage "evaluating", in steps (see EvaluateOptions), estimated from the first document
};

struct RunSummary {
  size_t evaluated = 0;
  size_t found = 0;             ///< that an earlier run had finished
  std::vector<size_t> skipped;  ///< longer than the model's context
};

/// Throws Error{input} where a file of an earlier run has other settings, naming what differs, or isn't one of ours,
/// and before anything is evaluated where the folder can't be written; Error{usage} where there are no such documents.
RunSummary run_evaluation(const Model& model, const Task& task, const DocumentSource& source,
                          const RunOptions& options);

/// "FOLDER/TASK/INDEX_MODEL/output-LEVEL.json", with policy and scoring behind the level where they aren't the
/// published method's.
std::string result_path(const std::string& folder, const EvalSettings& settings, size_t index);

/// A model's name as part of a file's: the last part of a path or of ORG/NAME, without .gguf.
std::string model_label(const std::string& name);

}  // namespace kvzip
