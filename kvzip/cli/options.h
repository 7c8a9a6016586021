// The options that several commands share, each added to a command in one place and checked before any work starts.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "kvzip/cli/keep_amount.h"
#include "kvzip/policy/level.h"
#include "kvzip/stages/answer.h"
#include "kvzip/stages/stream.h"

namespace CLI {
class App;
class Validator;
}  // namespace CLI

namespace kvzip::cli {

/// Whole numbers from `least` to `most`; CLI11 by itself turns -1 into a huge unsigned number.
CLI::Validator whole(size_t least, size_t most);
/// Numbers from 0 on.
CLI::Validator not_negative();
void add_threads_option(CLI::App& command, size_t& threads);

/// Which model, and how it computes.
struct EngineFlags {
  std::string model = "smollm2";
  std::string chat_template;       ///< empty = by the model
  std::string weights = "stored";  ///< or f32
  std::string device = "cpu";      ///< as make_backend() takes it; several as device_list() says
  size_t gpus = 0;                 ///< so many, the first ones; 0 = as `device` says
  bool may_share = false;          ///< whether the command can use several devices
  std::string rope_scaling;        ///< empty = as the model's files say
  size_t threads = 0;              ///< 0 = one per core
  bool encoders = false;           ///< the command has a use for them; not an option
  /// What the command puts around the device, if anything; not an option.
  std::function<std::unique_ptr<Backend>(std::unique_ptr<Backend> device)> wrap{};
};
void add_model_option(CLI::App& command, EngineFlags& flags);
void add_device_option(CLI::App& command, EngineFlags& flags);
void add_engine_options(CLI::App& command, EngineFlags& flags);
/// `--gpus`, for commands that several devices can run.
void add_gpus_option(CLI::App& command, EngineFlags& flags);

/// How a document is read.
struct ReadingFlags {
  std::string kv_type = "f16";  ///< f32, f16, bf16, q8_0 or q4_0
  size_t batch = 0;             ///< tokens per pass; 0 = by the device and its memory

  DType dtype() const;
  bool kv_type_given = false;  ///< by the user
};
void add_reading_options(CLI::App& command, ReadingFlags& flags);

/// Whether all of the document is read before anything of it is dropped, or chunk by chunk.
struct ModeFlags {
  std::string mode = "whole";  ///< or streaming
  size_t chunk = 0;            ///< tokens; 0 = as usual
  double chunk_keep = 0;       ///< fraction KEPT of each chunk meanwhile; 0 = by its scores

  bool streams() const { return mode == "streaming"; }
  /// Throws Error{usage} for chunks of a document that is read whole.
  void check() const;
  /// "streaming", with chunk and what is kept of it where they were given: as part of files' names too.
  std::string label() const;
  /// All but what is to be kept.
  StreamOptions options(const ReadingFlags& reading) const;
};
void add_mode_options(CLI::App& command, ModeFlags& flags);
/// The same without --mode.
void add_chunk_options(CLI::App& command, ModeFlags& flags);

/// What is kept of it.
struct KeepFlags {
  std::string keep = "0.3";
  double loss = 0.1;  ///< nats per token that --keep auto may cost
  std::string level = "pair";
  std::string method = "kvzip";   ///< as policy/methods.h names them
  std::string scoring = "exact";  ///< of methods that repeat the document
  std::string head_scores;        ///< file of level `head`; empty = the document's own
  std::string gate;               ///< file of scoring `gate`
  bool keep_given = false;        ///< by the user, as --keep, --level, --method and --scoring
  bool level_given = false;
  bool method_given = false;
  bool scoring_given = false;
  ModeFlags mode;

  /// Throws Error{usage} for an amount that makes no sense, for head scores with another level, for a kind of
  /// scoring with another method, and for what can't be done chunk by chunk.
  KeepAmount amount() const;
  bool is_automatic() const { return keep == "auto"; }
  /// What contexts are said to be scored by: "exact", "local", "streaming" (all kvzip's), or another method's name,
  /// with "local". Gates go by `gate_name`.
  std::string scored_by(const std::string& gate_name) const;
};
void add_keep_options(CLI::App& command, KeepFlags& flags);
/// `--gate`, which chooses scoring `gate` too. Before `--scoring`, so that check_gate() sees when both are given.
void add_gate_option(CLI::App& command, std::string& gate, std::string& scoring);
/// Throws Error{usage} where one of them is there without the other.
void check_gate(const std::string& gate, const std::string& scoring);

/// How answers are generated: straight into the library's options.
void add_answer_options(CLI::App& command, AnswerOptions& options);
/// Throws Error{usage} naming the option that is out of range.
void check_answer_options(const AnswerOptions& options);

/// `--key`: the file with the key that context files are made and read with; empty = none.
void add_key_option(CLI::App& command, std::string& key_file);

struct OutputFlags {
  bool json = false;
  bool quiet = false;
};
void add_output_options(CLI::App& command, OutputFlags& flags);

}  // namespace kvzip::cli
