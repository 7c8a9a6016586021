// `kvzip compress`: a document's compressed memory into a file.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "kvzip/cli/commands.h"
#include "kvzip/cli/format.h"
#include "kvzip/cli/json_output.h"
#include "kvzip/cli/make_context.h"
#include "kvzip/cli/read_document.h"

namespace kvzip::cli {
namespace {

struct CompressFlags {
  MakeFlags make;
  std::string out;
  bool zstd = false;
  OutputFlags output;
};

struct Written {
  size_t tokens = 0;
  double kept = 1;
  uint64_t kv_bytes = 0;
  uint64_t file_bytes = 0;
  double seconds = 0;  ///< of writing
};

Written write(const CompressFlags& flags, const Context& context, const ContextOrigin& origin, ProgressBar& bar) {
  const Stopwatch watch;
  const uint64_t bytes =
      write_context(flags.out, context, origin,
                    {.zstd = flags.zstd, .key = load_key(flags.make.key), .progress = bar.stage("writing", "byte")});
  return {context.document_len(), context.held().ratio(), context.bytes(), bytes, watch.seconds()};
}

void run_compress(const CompressFlags& flags) {
  require_writable(flags.out);
  ProgressBar bar(flags.output.quiet);
  Written written;
  make_context(flags.make,
               {.made = [&](const Context& context,
                            const ContextOrigin& origin) { written = write(flags, context, origin, bar); }},
               bar);
  if (flags.output.json) {
    print_json({{"file", flags.out},
                {"document_tokens", written.tokens},
                {"kept_ratio", written.kept},
                {"kv_bytes", written.kv_bytes},
                {"file_bytes", written.file_bytes},
                {"writing_seconds", written.seconds}});
    return;
  }
  bar.note("written", fmt::format("{}: {} of {}, {} in {}", flags.out, format_percent(written.kept),
                                  counted(written.tokens, "token"), format_bytes(written.file_bytes),
                                  format_seconds(written.seconds)));
}

}  // namespace

std::function<void()> add_compress(CLI::App& command) {
  const auto flags = std::make_shared<CompressFlags>();
  command.add_option("FILE", flags->make.file, "The document (- is standard input), or a .kvz file to be cut further")
      ->required();
  command.add_option("-o,--out", flags->out, "The .kvz file to make")->required();
  command.add_flag("--zstd", flags->zstd, "Pack it, for cold storage: fewer bytes, slower to open");
  add_key_option(command, flags->make.key);
  add_keep_options(command, flags->make.keep);
  add_mode_options(command, flags->make.keep.mode);
  add_engine_options(command, flags->make.engine);
  add_reading_options(command, flags->make.reading);
  add_output_options(command, flags->output);
  command.footer(
      "The file holds the rows that --keep names, with the document's text. It opens at that ratio and at every "
      "smaller one,\nwith the answers of a fresh compression; `ask` and `chat` take it in place of the document.\n\n"
      "Examples:\n"
      "  kvzip compress report.txt -o report.kvz --keep 0.5\n"
      "  kvzip ask report.kvz \"Who signed it?\" --keep 0.2\n"
      "  kvzip compress report.kvz -o small.kvz --keep 0.1 --zstd\n");
  return [flags] { run_compress(*flags); };
}

}  // namespace kvzip::cli
