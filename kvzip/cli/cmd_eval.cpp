// `kvzip eval`: what a model still knows at each ratio, task by task, document by document.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "kvzip/base/parallel.h"
#include "kvzip/cli/commands.h"
#include "kvzip/cli/format.h"
#include "kvzip/cli/json_output.h"
#include "kvzip/cli/ratio_list.h"
#include "kvzip/eval/run.h"

namespace kvzip::cli {
namespace {

// As many as a needle has depths.
constexpr size_t kGeneratedDocuments = 11;
constexpr size_t kMostDocuments = size_t{1} << 24U;

struct EvalFlags {
  std::vector<std::string> tasks;
  std::string ratios = "1.0,0.9,0.8,0.7,0.6,0.5,0.4,0.3,0.2,0.1";
  std::string level = "pair";
  std::string policy = "kvzip";
  std::string scoring = "exact";
  std::string gate;
  ModeFlags mode;
  size_t first = 0;
  size_t count = 0;  // 0 = by the task
  size_t max_questions = 0;
  std::string files;
  size_t tokens = 2000;
  uint64_t seed = 1;
  std::string folder = "results";
  std::string shard;
  EngineFlags engine;
  ReadingFlags reading;
  OutputFlags output;
};

/// One run of the command over its tasks.
class Eval {
 public:
  explicit Eval(const EvalFlags& flags) : flags_(flags), bar_(flags.output.quiet) {}

  void run() {
    options_.evaluate.ratios = parse_ratios(flags_.ratios);
    options_.evaluate.level = level_by_name(flags_.level);
    check_gate(flags_.gate, flags_.scoring);
    options_.evaluate.method = &find_method(flags_.policy, flags_.gate.empty() ? flags_.scoring : "exact");
    if (!flags_.gate.empty() && flags_.policy != methods().front().policy)
      throw Error(ErrorCode::usage, "--gate: expected no other --policy");
    flags_.mode.check();
    if (flags_.mode.streams()) {
      if (flags_.policy != methods().front().policy || options_.evaluate.level == Level::head)
        throw Error(ErrorCode::usage, "--mode streaming: expected no other --policy and no --level head");
      options_.evaluate.stream = flags_.mode.options(flags_.reading);
    }
    options_.evaluate.kv_type = flags_.reading.dtype();
    options_.evaluate.batch = flags_.reading.batch;
    options_.evaluate.max_questions = flags_.max_questions;
    options_.folder = flags_.folder;
    options_.first = flags_.first;
    options_.shard = flags_.shard.empty() ? shard_of_environment().value_or(Shard{}) : parse_shard(flags_.shard);
    const std::vector<std::string> chosen = chosen_tasks();
    if (!flags_.files.empty() && chosen.size() != 1)
      throw Error(ErrorCode::usage, "--files: expected one task, found several");
    for (const std::string& name : chosen) require_files(find_task(name), flags_.files);
    EngineFlags engine = flags_.engine;
    if (engine.threads == 0) engine.threads = fair_threads(thread_count());
    engine_.emplace(load_engine(engine, bar_));
    load_gate(*engine_, flags_.gate);
    options_.evaluate.gate = engine_->gate ? &*engine_->gate : nullptr;
    Json all = Json::array();
    for (const std::string& name : chosen) all.push_back(run_task(name, find_task(name)));
    if (flags_.output.json) print_json({{"folder", flags_.folder}, {"tasks", all}});
  }

 private:
  std::vector<std::string> chosen_tasks() const {
    std::vector<std::string> chosen;
    for (const std::string& name : flags_.tasks) {
      if (name != "all") {
        find_task(name);
        chosen.push_back(name);
        continue;
      }
      for (const Task& task : tasks()) {
        if (is_built_in(task)) chosen.emplace_back(task.name);
      }
    }
    return chosen;
  }

  /// As results name it.
  std::string scoring() const {
    const std::string& kind = flags_.gate.empty() ? flags_.scoring : engine_->gate_name;
    if (!flags_.mode.streams()) return kind;
    return flags_.mode.label() + (flags_.gate.empty() ? "" : "-" + kind);
  }

  EvalSettings settings_of(const std::string& name, const Task& task) const {
    const bool generated = task.origin == Origin::generated && flags_.files.empty();
    const Model& model = engine_->model;
    return {.task = name,
            .model = model_label(flags_.engine.model),
            .weights = flags_.engine.weights,
            .chat_template = model.chat_template().name,
            .level = flags_.level,
            .policy = flags_.policy,
            .scoring = scoring(),
            .kv_type = flags_.reading.kv_type,
            .device = flags_.engine.device,
            .files = model_label(flags_.files.empty() ? "built-in" : flags_.files),
            .tokens = generated ? flags_.tokens : 0,
            .seed = generated ? flags_.seed : 0,
            .max_questions = flags_.max_questions,
            .ratios = options_.evaluate.ratios,
            .version = KVZIP_VERSION};
  }

  Json run_task(const std::string& name, const Task& task) {
    const Tokenizer& tokenizer = engine_->model.tokenizer();
    const auto count = [&](std::string_view text) { return tokenizer.encode(text).size(); };
    const auto source = open_task(task, {flags_.files, flags_.tokens, flags_.seed, count});
    options_.settings = settings_of(name, task);
    options_.count = flags_.count != 0 ? flags_.count : source->size().value_or(kGeneratedDocuments);
    options_.progress = bar_.stage(name, "step");
    const Stopwatch watch;
    const RunSummary summary = run_evaluation(engine_->model, task, *source, options_);
    std::string line =
        fmt::format("{} evaluated in {}", counted(summary.evaluated, "document"), format_seconds(watch.seconds()));
    if (summary.found > 0) line += fmt::format(", {} there already", summary.found);
    if (!summary.skipped.empty())
      line += fmt::format(", {} beyond the model's context skipped", summary.skipped.size());
    bar_.note(name, line);
    return {{"task", name},
            {"evaluated", summary.evaluated},
            {"found", summary.found},
            {"skipped", summary.skipped},
            {"seconds", watch.seconds()}};
  }

  const EvalFlags& flags_;
  ProgressBar bar_;
  std::optional<Engine> engine_;
  RunOptions options_;
};

std::string footer() {
  std::string text =
      "Each document is read and scored once; every ratio answers from the same rows (with --mode streaming, it is "
      "read "
      "for each).\nResults are one JSON file per document,\n"
      "OUT/TASK/INDEX_MODEL/output-LEVEL.json, beside a file of times. Documents that are finished are not evaluated "
      "again,\n"
      "so that a run that was stopped goes on. Under mpirun each process takes its share of documents and cores; "
      "results are\n"
      "the same to the last digit where each process has as many threads (-t).\n\nTasks:\n";
  for (const Task& task : tasks()) text += fmt::format("  {:<32}{}\n", task.name, task.summary);
  text +=
      "\nExamples:\n"
      "  kvzip eval -d qa --ratios 1.0,0.5,0.3,0.1                 12 documents, 240 questions\n"
      "  kvzip eval -d needle kv --length 4000 --num 22            two generated tasks\n"
      "  kvzip eval -d qa --files my_documents/ -m qwen3-8b        one's own documents and questions\n"
      "  kvzip eval -d squad --files train-v1.1.json --num 100     a published data set\n"
      "  kvzip eval -d all --shard 1/4                             a quarter of the documents\n"
      "  mpirun -n 4 kvzip eval -d all                             all of them, on four processes\n";
  return text;
}

}  // namespace

std::function<void()> add_eval(CLI::App& command) {
  const auto flags = std::make_shared<EvalFlags>();
  command.add_option("-d,--data", flags->tasks, "Tasks, or `all` that need no files")->required();
  command.add_option("--ratios", flags->ratios, "Fractions KEPT, set apart by commas")->capture_default_str();
  command
      .add_option("--level", flags->level,
                  "pair: the best pairs of all heads; pair-uniform: as many of each head; head: whole heads")
      ->check(CLI::IsMember({"pair", "pair-uniform", "head", "per-layer", "pyramid"}))
      ->capture_default_str();
  command.add_option("--policy", flags->policy, "What makes a pair important")->capture_default_str();
  add_gate_option(command, flags->gate, flags->scoring);
  command.add_option("--scoring", flags->scoring, "How that is found out")->capture_default_str();
  add_mode_options(command, flags->mode);
  command.add_option("--num", flags->count, "Documents per task (default: all of its files, 11 generated ones)")
      ->check(whole(1, kMostDocuments));
  command.add_option("--idx", flags->first, "Number of the first document")
      ->check(whole(0, kMostDocuments))
      ->capture_default_str();
  command.add_option("--questions", flags->max_questions, "Questions per document; 0 = all")
      ->check(whole(0, kMostDocuments))
      ->capture_default_str();
  command.add_option("--files", flags->files, "File or folder with the task's documents");
  command.add_option("--length", flags->tokens, "Tokens of a generated document")
      ->check(whole(1, size_t{1} << 24U))
      ->capture_default_str();
  command.add_option("--seed", flags->seed, "Seed of generated documents")->capture_default_str();
  command.add_option("--out", flags->folder, "Folder of results")->capture_default_str();
  command.add_option("--shard", flags->shard, "I/N: only every N-th document, from the I-th on");
  add_engine_options(command, flags->engine);
  add_reading_options(command, flags->reading);
  add_output_options(command, flags->output);
  command.footer(footer());
  return [flags] { Eval(*flags).run(); };
}

}  // namespace kvzip::cli
