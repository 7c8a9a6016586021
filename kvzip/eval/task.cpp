#include "kvzip/eval/task.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "kvzip/base/check.h"
#include "kvzip/base/error.h"
#include "kvzip/base/quote.h"
#include "kvzip/eval/qa_documents.h"
#include "kvzip/stages/prompt.h"

namespace kvzip {
namespace {

constexpr auto kTasks = std::to_array<Task>({
    {"qa", "questions about 12 documents of about 1,300 tokens; --files takes others", 32},
    {"needle", "one sentence hidden in others, at depths from 0 to 100 %", 32, generate_needle},
    {"needle_multi_key", "twelve such sentences, four of them asked for", 32, generate_needle_multi_key},
    {"needle_multi_value", "four sentences that answer one question", 64, generate_needle_multi_value},
    {"kv", "the value of a key in a list of nothing but keys and values", 32, generate_key_values},
    {"vt", "which variables have a value, through chains of assignments", 96, generate_variables},
    {"common_words", "the most frequent words of a list", 96, generate_common_words},
    {"prefix_suffix", "the word with a certain beginning and end", 32, generate_prefix_suffix},
    {"math_find", "the largest and the smallest number of a list", 32, generate_math_find},
    {"many_shot", "classes of made-up words, learned from examples", 32, generate_many_shot},
});

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

}  // namespace

std::span<const Task> tasks() { return kTasks; }

const Task& find_task(std::string_view name) {
  const auto* const found =
      std::find_if(kTasks.begin(), kTasks.end(), [&](const Task& task) { return task.name == name; });
  if (found != kTasks.end()) return *found;
  std::string names;
  for (const Task& task : kTasks) names += (names.empty() ? "" : ", ") + std::string(task.name);
  throw Error(ErrorCode::usage, fmt::format("task {}: expected one of {}", quote(name, 40), names));
}

std::unique_ptr<DocumentSource> open_task(const Task& task, const TaskOptions& options) {
  if (task.generate != nullptr) {
    if (!options.files.empty())
      throw Error(ErrorCode::usage, fmt::format("task {}: is generated, expected no files", task.name));
    return std::make_unique<Generated>(task.generate, options);
  }
  return std::make_unique<Listed>(options.files.empty() ? shipped_qa_documents() : read_qa_documents(options.files));
}

std::string prompt_of(const Task& task, const EvalQuestion& question) {
  return (task.reasons ? "Reason and answer the question. You must say the answer in the last sentence beginning with "
                         "'The answer is'. Q: "
                       : "Q: ") +
         question.text;
}

std::string_view task_line(const Task& task) { return task.reasons ? kReasonTask : kAnswerTask; }

}  // namespace kvzip
