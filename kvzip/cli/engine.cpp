#include "kvzip/cli/engine.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "kvzip/cli/display_text.h"
#include "kvzip/cli/format.h"
#include "kvzip/cli/interrupt.h"
#include "kvzip/cli/ranks.h"
#include "kvzip/cli/read_document.h"
#include "kvzip/learn/gate_file.h"
#include "kvzip/stages/prompt.h"
#include "kvzip/stages/shared_heads.h"

namespace kvzip::cli {
namespace {

/// The process of one of the devices, where there are several.
Rank rank_of(const EngineFlags& flags, const std::vector<std::string>& devices) {
  if (devices.size() == 1) return {};
  if (!flags.may_share) {
    throw Error(ErrorCode::usage,
                fmt::format("device '{}': this command uses one device; ask, generate and bench can share a model "
                            "between several",
                            flags.device));
  }
  return start_ranks(devices);
}

}  // namespace

Engine load_engine(const EngineFlags& flags, ProgressBar& bar) {
  return load_engine(flags, bar, [&] { return open_model_files(find_model(flags.model)); });
}

Engine load_engine(const EngineFlags& flags, ProgressBar& bar, const std::function<ModelFiles()>& open) {
  if (!flags.chat_template.empty())
    find_template(flags.chat_template);  // an unknown name is said before anything is loaded
  ModelOptions options{.weights = flags.weights == "f32" ? WeightMode::f32 : WeightMode::stored,
                       .chat_template = flags.chat_template};
  if (!flags.rope_scaling.empty()) options.rope_scaling = parse_rope_option(flags.rope_scaling);
  const Stopwatch watch;
  const std::vector<std::string> devices = device_list(flags.device, flags.gpus);
  const Rank rank = rank_of(flags, devices);
  set_thread_count(flags.threads);
  if (flags.threads == 0 && devices.size() > 1) set_thread_count(std::max<size_t>(1, thread_count() / devices.size()));
  std::unique_ptr<Backend> backend = make_backend(devices[rank.index]);
  if (flags.wrap) backend = flags.wrap(std::move(backend));
  std::unique_ptr<Group> group;
  if (rank.memory != nullptr) group = make_group(*backend, *rank.memory, rank.index);
  options.group = group.get();
  ModelFiles files = open();
  if (!flags.encoders) require_decoder(files.config);
  if (options.weights == WeightMode::f32) backend->set_precision(Precision::exact);
  Model model = Model::from_files(std::move(files), *backend, options);
  throw_if_interrupted();
  const double seconds = watch.seconds();
  const std::string shared = devices.size() > 1 ? fmt::format(", on {} devices", devices.size()) : "";
  bar.note("model", fmt::format("{}, {}{}", one_line(model.config().name), format_seconds(seconds), shared));
  return {std::move(backend), std::move(group), std::move(model), seconds, options.weights == WeightMode::f32};
}

void load_gate(Engine& engine, const std::string& path) {
  if (path.empty()) return;
  if (engine.group) throw Error(ErrorCode::unsupported, "--gate: expected one device, found several");
  const GateFile file = read_gate(path, engine.model);
  engine.gate.emplace(engine.model, file.weights);
  engine.gate_name = "gate-" + file.hash;
}

void rethrow_about(const std::string& path, const Error& error) {
  constexpr std::string_view kSubject = "document: ";
  const std::string_view message = error.what();
  if (!message.starts_with(kSubject)) throw Error(error);
  throw Error(error.code(), document_name(path) + ": " + std::string(message.substr(kSubject.size())));
}

ReadDocument read(const Engine& engine, const std::string& path, std::string_view text, const ReadingFlags& flags,
                  ProgressBar& bar) {
  const Stopwatch watch;
  try {
    const PrefillOptions options{flags.dtype(), flags.batch, bar.stage("reading")};
    if (!engine.gate) return {prefill(engine.model, text, options), watch.seconds()};
    std::vector<TokenId> document = document_ids(engine.model, text);
    GatedReading gated =
        prefill_gated(engine.model, *engine.gate, system_ids(engine.model), std::move(document), options);
    return {std::move(gated.reading), watch.seconds(), std::move(gated.scores)};
  } catch (const Error& error) {
    rethrow_about(path, error);
  }
}

ScoredDocument score_and_select(const Engine& engine, const ReadDocument& document, const ReadingFlags& flags,
                                const KeepFlags& keep, const HeadScores* heads, ProgressBar& bar) {
  const Reading& reading = document.reading;
  ScoredDocument result;
  // An amount that can't be kept is known before the scoring.
  result.ratio = keep_ratio(keep.amount(), whole_shape(engine.model, reading.context_shape()), reading.system.size(),
                            reading.document.size());
  const Stopwatch watch;
  if (document.scores) {
    result.scores = *document.scores;
  } else {
    result.scores =
        score_by(method_by_name(keep.method), engine.model, reading,
                 {.scoring = scoring_by_name(keep.scoring), .batch = flags.batch, .progress = bar.stage("scoring")});
  }
  result.seconds = watch.seconds();
  const Level level = level_by_name(keep.level);
  result.selection = heads != nullptr ? select(result.scores, level, result.ratio, *heads)
                                      : select(result.scores, level, result.ratio);
  return result;
}

size_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  size_t total = 0;
  size_t resident = 0;
  file >> total >> resident;
  return file ? resident * static_cast<size_t>(::sysconf(_SC_PAGESIZE)) : 0;
}

}  // namespace kvzip::cli
