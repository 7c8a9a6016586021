// `kvzip profile`: where the time of a document's life goes, stage by stage and operation by operation.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <optional>

#include "kvzip/base/atomic_file.h"
#include "kvzip/cli/commands.h"
#include "kvzip/cli/display_text.h"
#include "kvzip/cli/head_scores_file.h"
#include "kvzip/cli/interrupt.h"
#include "kvzip/cli/profile_report.h"
#include "kvzip/cli/read_document.h"
#include "kvzip/cli/streaming.h"

namespace kvzip::cli {
namespace {

struct ProfileFlags {
  std::string file;
  std::string question = "What is this about?";
  std::string trace;
  EngineFlags engine;
  ReadingFlags reading;
  KeepFlags keep;
  AnswerOptions answers{.sampling = {}, .max_tokens = 32, .on_text = {}};
  OutputFlags output;
};

/// Runs the stages and notes when each began and ended.
class Profiler {
 public:
  explicit Profiler(ProfiledBackend& backend) : backend_(backend) { backend_.restart(); }

  template <class Work>
  auto stage(const char* name, const Work& work) {
    const double begin = backend_.now();
    auto result = work();
    stages_.push_back({name, begin, backend_.now() - begin, 0});
    return result;
  }
  /// Of the last stage.
  void tokens(size_t count) { stages_.back().tokens = count; }
  std::vector<ProfiledStage> stages() const { return stages_; }

 private:
  ProfiledBackend& backend_;
  std::vector<ProfiledStage> stages_;
};

Profile profile_of(const ProfileFlags& flags, const std::string& text, const Engine& engine, ProfiledBackend& backend,
                   const HeadScores* heads, ProgressBar& bar) {
  const Model& model = engine.model;
  Profiler profiler(backend);
  ReadDocument document = profiler.stage("read", [&] { return read(engine, flags.file, text, flags.reading, bar); });
  Reading& reading = document.reading;
  const size_t tokens = reading.system.size() + reading.document.size();
  profiler.tokens(tokens);
  ScoredDocument scored = profiler.stage(
      "score", [&] { return score_and_select(engine, document, flags.reading, flags.keep, heads, bar); });
  profiler.tokens(reading.document.size());
  const Context context = profiler.stage(
      "compress", [&] { return compress(model, std::move(reading), std::move(scored.scores), scored.selection.keep); });
  profiler.tokens(tokens);
  const Answer answered =
      profiler.stage("answer", [&] { return answer(model, context, flags.question, silent(flags.answers)); });
  profiler.tokens(answered.question_tokens + answered.ids.size());
  throw_if_interrupted();
  bar.note("measuring what the device can do");
  return {engine.backend->description(), model.config().name, profiler.stages(), backend.calls(),
          measure_ceilings(backend.inner())};
}

void run_profile(const ProfileFlags& flags) {
  check_answer_options(flags.answers);
  flags.keep.amount();
  if (flags.keep.is_automatic()) throw Error(ErrorCode::usage, "--keep auto: expected an amount to profile");
  std::optional<HeadScores> heads;
  if (!flags.keep.head_scores.empty()) heads = load_head_scores(flags.keep.head_scores);
  if (!flags.trace.empty()) require_writable(flags.trace);
  const std::string text = read_document(flags.file);
  ProgressBar bar(flags.output.quiet);
  ProfiledBackend* profiled = nullptr;
  EngineFlags engine_flags = flags.engine;
  engine_flags.wrap = [&](std::unique_ptr<Backend> device) {
    auto around = std::make_unique<ProfiledBackend>(std::move(device));
    profiled = around.get();
    return around;
  };
  Engine engine = load_engine(engine_flags, bar);
  load_gate(engine, flags.keep.gate);
  const Profile profile = profile_of(flags, text, engine, *profiled, heads ? &*heads : nullptr, bar);
  if (!flags.trace.empty()) {
    const std::string trace = to_trace(profile);
    write_file_atomically(flags.trace, [&](FileWriter& file) { file.write(trace); });
    bar.note("trace", fmt::format("{}, {}", one_line(flags.trace), format_bytes(trace.size())));
  }
  if (flags.output.json) {
    print_json(to_json(profile));
  } else {
    fmt::print("{}", to_text(profile, {terminal_width(stdout), wants_colours(stdout)}));
  }
}

}  // namespace

std::function<void()> add_profile(CLI::App& command) {
  const auto flags = std::make_shared<ProfileFlags>();
  command.add_option("FILE", flags->file, "Document, - for standard input")->required();
  command.add_option("QUESTION", flags->question, "What is asked about it")->capture_default_str();
  command.add_option("--trace", flags->trace,
                     "Write every operation to this file, for Perfetto (ui.perfetto.dev) or chrome://tracing");
  add_keep_options(command, flags->keep);
  add_answer_options(command, flags->answers);
  add_engine_options(command, flags->engine);
  add_reading_options(command, flags->reading);
  add_output_options(command, flags->output);
  command.footer(
      "Reads, scores, compresses and answers once, waiting for the device after every operation. The table says how "
      "long\n"
      "each took in all, and how close it came to what the device copies and multiplies at best, measured in the same "
      "run.\n\n"
      "Examples:\n"
      "  kvzip profile report.txt\n"
      "  kvzip profile report.txt --device cuda --trace trace.json\n"
      "  kvzip profile report.txt --scoring local --json\n");
  return [flags] { run_profile(*flags); };
}

}  // namespace kvzip::cli
