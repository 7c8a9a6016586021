#include "kvzip/eval/run.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "kvzip/base/atomic_file.h"
#include "kvzip/base/error.h"
#include "kvzip/base/parallel.h"

namespace kvzip {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

void write_json(const std::string& path, const Json& content) {
  write_file_atomically(path, [&](FileWriter& file) { file.write(content.dump(2) + "\n"); });
}

void make_folder_of(const std::string& path) {
  std::error_code failure;
  const fs::path folder = fs::path(path).parent_path();
  fs::create_directories(folder, failure);
  if (failure)
    throw Error(ErrorCode::input, fmt::format("{}: can't be written: {}", folder.string(), failure.message()));
}

/// Said before the work starts, not after it.
void require_writable_folder(const std::string& folder) {
  const std::string place = folder.empty() ? "." : folder;
  make_folder_of(place + "/any");
  if (::access(place.c_str(), W_OK | X_OK) != 0)
    throw Error(ErrorCode::input, fmt::format("{}: can't be written: {}", place, std::strerror(errno)));
}

/// The same place with another word for "output".
std::string times_path(const std::string& result) {
  const fs::path path(result);
  return (path.parent_path() / ("times" + path.filename().string().substr(std::string_view("output").size()))).string();
}

Json json_of(const DocumentTimes& times) {
  return {{"reading_seconds", times.reading},         {"scoring_seconds", times.scoring},
          {"compression_seconds", times.compression}, {"answer_seconds", times.answers},
          {"answer_tokens", times.answer_tokens},     {"threads", thread_count()}};
}

/// Whether the document is finished; a file with other settings must not be mistaken for it, nor overwritten.
bool is_finished(const std::string& path, const EvalSettings& settings) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return false;
  const Json theirs = to_json(read_record(path).settings);
  const Json ours = to_json(settings);
  for (const auto& [key, value] : ours.items()) {
    if (theirs.at(key) == value) continue;
    throw Error(ErrorCode::input,
                fmt::format("{}: expected {} {} as in this run, found {}; remove it or choose another "
                            "folder",
                            path, key, value.dump(), theirs.at(key).dump()));
  }
  return true;
}

class Run {
 public:
  Run(const Model& model, const Task& task, const DocumentSource& source, const RunOptions& options)
      : model_(model), task_(task), source_(source), options_(options) {}

  RunSummary run() {
    std::vector<size_t> waiting;
    for (const size_t index : wanted()) {
      if (is_finished(path_of(index), options_.settings)) {
        ++summary_.found;
      } else {
        waiting.push_back(index);
      }
    }
    if (!waiting.empty()) require_writable_folder(options_.folder);
    for (size_t i = 0; i < waiting.size(); ++i) evaluate(waiting[i], waiting.size() - i);
    return summary_;
  }

 private:
  std::string path_of(size_t index) const { return result_path(options_.folder, options_.settings, index); }

  std::vector<size_t> wanted() const {
    const size_t there = source_.size().value_or(SIZE_MAX);
    if (options_.first >= there) {
      throw Error(ErrorCode::usage, fmt::format("--idx {}: expected a document below {}, the number that task {} has",
                                                options_.first, there, task_.name));
    }
    const size_t count = std::min(options_.count, there - options_.first);
    std::vector<size_t> indices;
    for (size_t index = options_.first; index < options_.first + count; ++index) {
      if (options_.shard.has(index)) indices.push_back(index);
    }
    return indices;
  }

  void evaluate(size_t index, size_t left) {
    const EvalDocument document = source_.document(index);
    const size_t steps = steps_of(document, options_.evaluate);
    if (tokens_needed(model_, task_, document) > model_.config().context_length) {
      summary_.skipped.push_back(index);
      steps_before_ += steps;
      return;
    }
    // Those that are left are taken to be like this one.
    const size_t total = steps_before_ + steps * left;
    EvaluateOptions evaluate = options_.evaluate;
    evaluate.progress = [&](const Progress& state) {
      return !options_.progress || options_.progress({state.stage, steps_before_ + state.done, total});
    };
    DocumentTimes times;
    DocumentRecord record = evaluate_document(model_, task_, document, evaluate, times);
    record.settings = options_.settings;
    record.index = index;
    const std::string path = path_of(index);
    make_folder_of(path);
    write_json(times_path(path), json_of(times));
    write_json(path, to_json(record));  // last: its presence says that the document is finished
    steps_before_ += steps;
    ++summary_.evaluated;
  }

  const Model& model_;
  const Task& task_;
  const DocumentSource& source_;
  const RunOptions& options_;
  size_t steps_before_ = 0;
  RunSummary summary_;
};

}  // namespace

RunSummary run_evaluation(const Model& model, const Task& task, const DocumentSource& source,
                          const RunOptions& options) {
  return Run(model, task, source, options).run();
}

std::string result_path(const std::string& folder, const EvalSettings& settings, size_t index) {
  std::string method;
  const Method& published = methods().front();
  if (settings.policy != published.policy) method += "-" + settings.policy;
  if (settings.scoring != published.scoring) method += "-" + settings.scoring;
  return (fs::path(folder) / settings.task / fmt::format("{}_{}", index, settings.model) /
          fmt::format("output-{}{}.json", settings.level, method))
      .string();
}

std::string model_label(const std::string& name) {
  std::string label = name;
  while (label.size() > 1 && label.back() == '/') label.pop_back();
  label = fs::path(label).filename().string();
  if (label.ends_with(".gguf")) label.resize(label.size() - 5);
  for (char& c : label) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
    if (!plain) c = '-';
  }
  return label.empty() || label.front() == '.' ? "model" + label : label;
}

}  // namespace kvzip
