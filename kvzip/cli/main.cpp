// The program `kvzip`: a table of commands, and the way from an error to an exit code.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <new>
#include <string_view>

#include "kvzip/base/error.h"
#include "kvzip/cli/commands.h"
#include "kvzip/cli/display_text.h"
#include "kvzip/cli/interrupt.h"
#include "kvzip/cli/json_output.h"
#include "kvzip/cli/ranks.h"
#include "kvzip/cli/spinning.h"

namespace kvzip::cli {
namespace {

struct Command {
  const char* name;
  const char* summary;
  AddCommand add;
};

constexpr auto kCommands = std::to_array<Command>({
    {"ask", "Answer questions about a document from its compressed memory", add_ask},
    {"chat", "Talk about a document: every question knows what was said before", add_chat},
    {"compress", "Write a document's compressed memory to a file, which ask and chat take in its place", add_compress},
    {"verify", "Check that context files are as they were written", add_verify},
    {"store", "Keep documents that were read: list, pin, remove", add_store},
    {"scores", "Show what a document's compression keeps, layer by layer and head by head", add_scores},
    {"learn", "Learn a gate, with which documents are scored while they are read", add_learn},
    {"view", "Make a page to look at: the document, and what its compression keeps", add_view},
    {"attention", "Make a page of what a model looks at, or write it as numbers", add_attention},
    {"embed", "Turn texts into vectors with an encoder such as BERT", add_embed},
    {"tokenize", "Show the tokens of a text", add_tokenize},
    {"tokenizer", "Train a tokenizer on text files", add_tokenizer},
    {"info", "Describe a model file, and the memory that documents need", add_info},
    {"generate", "Continue a text, without document and template", add_generate},
    {"check", "Show which keep ratio a document bears, without any questions", add_check},
    {"eval", "Evaluate what a model still knows at each ratio, over tasks and documents", add_eval},
    {"report", "Put the results of evaluations together: tables, charts, a page", add_report},
    {"profile", "Show where time and bytes go, stage by stage and operation by operation", add_profile},
    {"bench", "Measure reading, scoring and answering on this machine", add_bench},
});

constexpr const char* kFooter =
    "A model reads a long document once; what it will need to answer from it is kept, the rest of its memory is "
    "freed.\n\n"
    "Examples:\n"
    "  kvzip ask report.txt \"Who wrote it?\"              keep 30 % of the memory, answer from that\n"
    "  kvzip ask report.txt --questions q.txt --compare   the same questions, full and compressed, in a table\n"
    "  kvzip COMMAND --help                               more about each command\n";

enum Exit : int { kDone = 0, kFailed = 1, kUsage = 2, kCancelled = 130 };

int exit_code(ErrorCode code) {
  return code == ErrorCode::usage ? kUsage : code == ErrorCode::cancelled ? kCancelled : kFailed;
}

int fail(std::string_view message, int code, bool json) {
  const std::string line = one_line(message);
  std::fflush(stdout);
  if (report_failure(line, code)) return code;  // one of several processes: the one that waits for them says it
  fmt::print(stderr, "kvzip: {}\n", line);
  if (json) print_json_error(line);
  return code;
}

int run(int count, char** arguments, bool json) {
  CLI::App app("Answers from a compressed memory of long documents.", "kvzip");
  app.set_version_flag("-V,--version", "kvzip " KVZIP_VERSION);
  app.require_subcommand(1);
  app.footer(kFooter);
  std::function<void()> chosen;
  for (const Command& each : kCommands) {
    CLI::App* command = app.add_subcommand(each.name, each.summary);
    command->callback([&chosen, run_command = each.add(*command)] { chosen = run_command; });
  }
  try {
    app.parse(count, arguments);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success))
      return app.exit(error);  // --help, --version
    const auto chosen_commands = app.get_subcommands();
    const std::string help =
        chosen_commands.empty() ? "kvzip --help" : "kvzip " + chosen_commands.front()->get_name() + " --help";
    return fail(fmt::format("{} (see {})", error.what(), help), kUsage, json);
  }
  chosen();
  return kDone;
}

int guarded(int count, char** arguments) {
  const bool json = std::any_of(arguments + 1, arguments + count,
                                [](const char* word) { return std::string_view(word) == "--json"; });
  try {
    const int code = run(count, arguments, json);
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
      return fail("standard output: can't be written", kFailed, false);
    return code;
  } catch (const RanksEnded& end) {
    return end.line().empty() ? end.code() : fail(end.line(), end.code(), json);
  } catch (const Error& error) {
    return fail(error.what(), exit_code(error.code()), json);
  } catch (const std::bad_alloc&) {
    return fail("memory: there is not enough", kFailed, json);
  } catch (const std::exception& error) {
    if (std::ferror(stdout) != 0) return fail("standard output: can't be written", kFailed, false);
    return fail(fmt::format("internal error: {}", error.what()), kFailed, json);
  }
}

}  // namespace
}  // namespace kvzip::cli

int main(int count, char** arguments) {
  kvzip::cli::limit_spinning(arguments);
  // Whoever reads our output may stop reading (`| head`): then we end without a word, even if our parent ignores the
  // signal.
  std::signal(SIGPIPE, SIG_DFL);
  kvzip::cli::catch_interrupt();
  return kvzip::cli::guarded(count, arguments);
}
