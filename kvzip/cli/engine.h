// What the commands do before they differ: load a model, read a document, score it.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "kvzip/cli/options.h"
#include "kvzip/cli/progress_bar.h"
#include "kvzip/kvzip.h"

namespace kvzip::cli {

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

struct Engine {
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Group> group;  ///< of devices that share the model; null where there is one
  Model model;
  double load_seconds = 0;
  bool exact = false;  ///< weights in f32, for comparison
  std::optional<Gate> gate{};
  std::string gate_name{};  ///< "gate-" and the file's hash
};
/// Loads the model and says so on `bar`. Where the flags name several devices, returns in a process of each of them
/// (start_ranks()), so that everything that the command reads must have been read. Throws Error{usage} for several
/// where the command can use one.
Engine load_engine(const EngineFlags& flags, ProgressBar& bar);
/// The same for a model that `open` gives in place of the one that the flags name.
Engine load_engine(const EngineFlags& flags, ProgressBar& bar, const std::function<ModelFiles()>& open);

struct ReadDocument {
  Reading reading;
  double seconds = 0;
  std::optional<Scores> scores{};  ///< that fell out of the reading, by the engine's gate

  size_t tokens() const { return reading.system.size() + reading.document.size(); }
  double tokens_per_second() const { return seconds > 0 ? static_cast<double>(tokens()) / seconds : 0; }
};
/// Reads the gate at `path`, if it isn't empty, for the engine's model.
void load_gate(Engine& engine, const std::string& path);

/// Throws what `error` says, about the text at `path` where it is about a document: the library doesn't know its name.
[[noreturn]] void rethrow_about(const std::string& path, const Error& error);

/// Errors about the text name `path`.
ReadDocument read(const Engine& engine, const std::string& path, std::string_view text, const ReadingFlags& flags,
                  ProgressBar& bar);

struct ScoredDocument {
  Scores scores;
  Selection selection;
  double ratio = 1;  ///< that was asked for
  double seconds = 0;
};
/// `heads` are those of --head-scores, null for none.
ScoredDocument score_and_select(const Engine& engine, const ReadDocument& document, const ReadingFlags& flags,
                                const KeepFlags& keep, const HeadScores* heads, ProgressBar& bar);

/// Resident memory of this process, in bytes; 0 where the system doesn't say.
size_t resident_bytes();

}  // namespace kvzip::cli
