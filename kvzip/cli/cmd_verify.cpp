// `kvzip verify`: whether context files are as they were written.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "kvzip/cli/commands.h"
#include "kvzip/cli/context_files.h"
#include "kvzip/cli/format.h"
#include "kvzip/cli/interrupt.h"
#include "kvzip/cli/json_output.h"

namespace kvzip::cli {
namespace {

struct VerifyFlags {
  std::vector<std::string> files;
  std::string key;
  OutputFlags output;
};

/// What came of one file; throws where it isn't as it was written.
Json verify(const std::string& path, const std::optional<ContextKey>& key, bool silent) {
  const Stopwatch watch;
  const ContextFile file = ContextFile::open(path, {.key = key});
  file.verify();
  const double seconds = watch.seconds();
  if (!silent) {
    fmt::print("{}: as it was written{} ({} in {}, {})\n", path, file.header().keyed ? " by a holder of the key" : "",
               format_bytes(file.header().file_bytes), counted(file.layout().blocks(), "block"),
               format_seconds(seconds));
  }
  return {{"file", path},
          {"file_bytes", file.header().file_bytes},
          {"blocks", file.layout().blocks()},
          {"keyed", file.header().keyed},
          {"seconds", seconds}};
}

/// Of several files all are looked at, whatever is wrong with one of them.
void run_verify(const VerifyFlags& flags) {
  const auto key = load_key(flags.key);
  Json report = Json::array();
  std::vector<std::string> failures;
  for (const std::string& path : flags.files) {
    throw_if_interrupted();
    try {
      report.push_back(verify(path, key, flags.output.json));
    } catch (const Error& error) {
      if (flags.files.size() == 1 || error.code() != ErrorCode::input) throw;
      failures.emplace_back(error.what());
    }
  }
  if (!failures.empty()) {
    throw Error(ErrorCode::input, fmt::format("{} of {} files aren't as they were written: {}", failures.size(),
                                              flags.files.size(), fmt::join(failures, "; ")));
  }
  if (flags.output.json) print_json({{"files", report}});
}

}  // namespace

std::function<void()> add_verify(CLI::App& command) {
  const auto flags = std::make_shared<VerifyFlags>();
  command.add_option("FILE", flags->files, "Context files (.kvz)")->required();
  add_key_option(command, flags->key);
  add_output_options(command, flags->output);
  command.footer(
      "Reads every byte and checks it. Without a key this finds damage; with the key that a file was made with, also "
      "what somebody changed.\n\n"
      "Examples:\n"
      "  kvzip verify report.kvz\n"
      "  kvzip verify *.kvz --key shared.key\n");
  return [flags] { run_verify(*flags); };
}

}  // namespace kvzip::cli
