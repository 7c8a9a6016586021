#include "kvzip/eval/task.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "kvzip/base/check.h"
#include "kvzip/base/error.h"
#include "kvzip/base/quote.h"
#include "kvzip/eval/parquet.h"
#include "kvzip/eval/published.h"
#include "kvzip/eval/qa_documents.h"
#include "kvzip/stages/prompt.h"

namespace kvzip {
namespace {

constexpr auto kTasks = std::to_array<Task>({
    {"qa", "240 questions about 12 documents of about 1,300 tokens; or --files in the form of data/qa", 32, Origin::qa},
    {"needle", "one sentence hidden in others, at depths from 0 to 100 %; or in a folder of --files", 32,
     Origin::generated, generate_needle},
    {"needle_multi_key", "twelve such sentences, four of them asked for", 32, Origin::generated,
     generate_needle_multi_key},
    {"needle_multi_value", "four sentences that answer one question", 64, Origin::generated,
     generate_needle_multi_value},
    {"kv", "the value of a key in a list of nothing but keys and values", 32, Origin::generated, generate_key_values},
    {"vt", "which variables have a value, through chains of assignments", 96, Origin::generated, generate_variables},
    {"common_words", "the most frequent words of a list", 96, Origin::generated, generate_common_words},
    {"prefix_suffix", "the word with a certain beginning and end", 32, Origin::generated, generate_prefix_suffix},
    {"math_find", "the largest and the smallest number of a list", 32, Origin::generated, generate_math_find},
    {"many_shot", "classes of made-up words, learned from examples", 32, Origin::generated, generate_many_shot},
    {"squad", "SQuAD, from its published file", 256, Origin::squad},
    {"gsm", "GSM8K, from its published file; asks for reasoning", 512, Origin::gsm, nullptr, true},
    {"scbench_kv", "SCBench, from the rows of its preprocessed files; also with _tiny, _short and _mid", 96,
     Origin::scbench},
    {"scbench_many_shot", "the same", 96, Origin::scbench},
    {"scbench_mf", "the same", 32, Origin::scbench},
    {"scbench_repoqa", "the same: which function does what is described", 512, Origin::scbench},
    {"scbench_repoqa_without_comments", "the same files, functions compared without their comments", 512,
     Origin::scbench},
    {"scbench_choice_eng", "the same", 96, Origin::scbench},
    {"scbench_prefix_suffix", "the same", 96, Origin::scbench},
    {"scbench_summary", "the same", 256, Origin::scbench},
    {"scbench_qa_eng", "the same", 96, Origin::scbench},
    {"scbench_vt", "the same", 96, Origin::scbench},
    {"scbench_summary_with_needles", "the same", 256, Origin::scbench},
    {"scbench_repoqa_and_kv", "the same", 512, Origin::scbench},
});

constexpr std::string_view kScbench = "scbench_";

/// The name without SCBench's tag of a shorter edition.
std::string_view without_tag(std::string_view name) {
  for (const std::string_view tag : {"_tiny", "_short", "_mid"}) {
    if (name.starts_with(kScbench) && name.ends_with(tag)) return name.substr(0, name.size() - tag.size());
  }
  return name;
}

class Generated : public DocumentSource {
 public:
  Generated(Generate generate, TaskOptions options) : generate_(generate), options_(std::move(options)) {}
  std::optional<size_t> size() const override { return std::nullopt; }
  EvalDocument document(size_t index) const override {
    return generate_({.tokens = options_.tokens, .seed = options_.seed, .index = index, .count = options_.count});
  }

 private:
  Generate generate_;
  TaskOptions options_;
};

class Listed : public DocumentSource {
 public:
  explicit Listed(std::vector<EvalDocument> documents) : documents_(std::move(documents)) {}
  std::optional<size_t> size() const override { return documents_.size(); }
  EvalDocument document(size_t index) const override {
    check(index < documents_.size(), "only documents that there are get asked for");
    return documents_[index];
  }

 private:
  std::vector<EvalDocument> documents_;
};

/// Published tables: Parquet, or rows of JSON, one a line.
std::vector<EvalDocument> table_documents(const Task& task, const TaskOptions& options) {
  const bool parquet = options.files.ends_with(".parquet");
  const std::string text = parquet ? "" : read_text_file(options.files);
  const RowSource rows = parquet ? parquet_rows(options.files) : json_lines(options.files, text);
  if (task.origin == Origin::gsm) return gsm_documents(options.files, rows, options.count);
  if (task.origin == Origin::scbench) return scbench_documents(options.files, rows, task.name.substr(kScbench.size()));
  return parquet || options.files.ends_with(".jsonl") ? squad_documents(options.files, rows)
                                                      : squad_documents(options.files, std::string_view(text));
}

std::vector<EvalDocument> listed_documents(const Task& task, const TaskOptions& options) {
  if (task.origin == Origin::qa)
    return options.files.empty() ? shipped_qa_documents() : read_qa_documents(options.files);
  return task.origin == Origin::generated ? read_needle_folder(options.files, options.count)
                                          : table_documents(task, options);
}

}  // namespace

std::span<const Task> tasks() { return kTasks; }

const Task& find_task(std::string_view name) {
  const auto* const found =
      std::find_if(kTasks.begin(), kTasks.end(), [&](const Task& task) { return task.name == without_tag(name); });
  if (found != kTasks.end()) return *found;
  std::string names;
  for (const Task& task : kTasks) names += (names.empty() ? "" : ", ") + std::string(task.name);
  throw Error(ErrorCode::usage, fmt::format("task {}: expected one of {}", quote(name, 40), names));
}

bool is_built_in(const Task& task) { return task.origin == Origin::generated || task.origin == Origin::qa; }

void require_files(const Task& task, std::string_view files) {
  if (files.empty() && !is_built_in(task))
    throw Error(ErrorCode::usage,
                fmt::format("task {}: expected --files with its published file, found none", task.name));
  if (!files.empty() && task.origin == Origin::generated && task.generate != generate_needle)
    throw Error(ErrorCode::usage, fmt::format("task {}: is generated, expected no --files", task.name));
}

std::unique_ptr<DocumentSource> open_task(const Task& task, const TaskOptions& options) {
  require_files(task, options.files);
  if (task.origin == Origin::generated && options.files.empty())
    return std::make_unique<Generated>(task.generate, options);
  return std::make_unique<Listed>(listed_documents(task, options));
}

std::string prompt_of(const Task& task, const EvalQuestion& question) {
  return (task.reasons ? "Reason and answer the question. You must say the answer in the last sentence beginning with "
                         "'The answer is'. Q: "
                       : "Q: ") +
         question.text;
}

std::string_view task_line(const Task& task) { return task.reasons ? kReasonTask : kAnswerTask; }

}  // namespace kvzip
