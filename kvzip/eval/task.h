// The tasks of an evaluation: what is asked, how it is asked, how answers are graded. Stateless.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "kvzip/eval/document.h"
#include "kvzip/eval/generators.h"

namespace kvzip {

/// Where a task's documents come from.
enum class Origin : uint8_t { generated, qa, squad, gsm, scbench };

struct Task {
  std::string_view name;
  std::string_view summary;
  size_t max_tokens = 96;  ///< longest answer
  Origin origin = Origin::generated;
  Generate generate = nullptr;  ///< null where it isn't generated
  bool reasons = false;         ///< asks for reasoning before the answer
};

/// All of them, in the order in which help and tables show them.
std::span<const Task> tasks();
/// By name; those of SCBench may end in _tiny, _short or _mid. Throws Error{usage} that lists the names.
const Task& find_task(std::string_view name);
/// Whether the task has documents without files.
bool is_built_in(const Task& task);

struct TaskOptions {
  std::string files{};   ///< a file, or a folder of texts or documents; empty: what is built in
  size_t tokens = 2000;  ///< of generated documents
  uint64_t seed = 1;
  CountTokens count{};
};

/// Throws Error{usage} where the task takes no files, or needs one and `files` is empty.
void require_files(const Task& task, std::string_view files);

/// The task's documents. Throws what require_files() throws, and Error{input} for files that are wrong.
std::unique_ptr<DocumentSource> open_task(const Task& task, const TaskOptions& options);

/// The question as the model gets it.
std::string prompt_of(const Task& task, const EvalQuestion& question);
/// What the prompt says right before the document.
std::string_view task_line(const Task& task);

}  // namespace kvzip
