// `kvzip view`: a page that shows what a document's compression keeps, at every ratio.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "kvzip/base/atomic_file.h"
#include "kvzip/cli/commands.h"
#include "kvzip/cli/display_text.h"
#include "kvzip/cli/interrupt.h"
#include "kvzip/cli/json_output.h"
#include "kvzip/cli/read_document.h"
#include "kvzip/view/page.h"
#include "kvzip/view/token_texts.h"

namespace kvzip::cli {
namespace {

struct ViewFlags {
  std::string file;
  std::string out;
  std::string keep = "0.3";
  EngineFlags engine;
  ReadingFlags reading;
  OutputFlags output;
};

/// Pages are passed on: they name the document, and not the folders of whoever made them.
std::string shown_name(const std::string& path) {
  return path == "-" ? document_name(path) : std::filesystem::path(path).filename().string();
}

ViewedDocument view_document(const Engine& engine, const std::string& text, const ViewFlags& flags, ProgressBar& bar) {
  const Reading reading = read(engine, flags.file, text, flags.reading, bar).reading;
  const CacheShape shape = reading.context_shape();
  const CacheBytes bytes = cache_bytes(shape, reading.system.size(), reading.document.size());
  // An amount that can't be kept is known before the scoring.
  const double ratio = keep_ratio(parse_keep(flags.keep), shape, reading.system.size(), reading.document.size());
  return {.name = shown_name(flags.file),
          .model = engine.model.config().name,
          .system_tokens = reading.system.size(),
          .token_texts = token_texts(engine.model.tokenizer(), reading.document),
          .scores = score(engine.model, reading, {.batch = flags.reading.batch, .progress = bar.stage("scoring")}),
          .layers = shape.global_layers(),
          .bytes_fixed = bytes.fixed,
          .bytes_document = bytes.document,
          .keep = ratio};
}

void run_view(const ViewFlags& flags) {
  parse_keep(flags.keep);
  require_writable(flags.out);
  const std::string text = read_document(flags.file);
  ProgressBar bar(flags.output.quiet);
  const Engine engine = load_engine(flags.engine, bar);
  const ViewedDocument document = view_document(engine, text, flags, bar);
  const std::string page = view_page(document);
  throw_if_interrupted();
  write_file_atomically(flags.out, [&](FileWriter& file) { file.write(page); });
  bar.note("page", fmt::format("{}, {}", one_line(flags.out), format_bytes(page.size())));
  if (flags.output.json) {
    print_json({{"document", document_name(flags.file)},
                {"document_tokens", document.scores.len},
                {"keep", document.keep},
                {"page", flags.out},
                {"page_bytes", page.size()}});
  }
}

}  // namespace

std::function<void()> add_view(CLI::App& command) {
  const auto flags = std::make_shared<ViewFlags>();
  command.add_option("FILE", flags->file, "Document; - is standard input")->required();
  command.add_option("-o,--output", flags->out, "Write the page to this file")->required();
  command
      .add_option("-k,--keep", flags->keep,
                  "Where the page's slider stands at first, what is KEPT: 0.3, 30%, 200MiB or 1500tokens")
      ->capture_default_str();
  add_engine_options(command, flags->engine);
  add_reading_options(command, flags->reading);
  add_output_options(command, flags->output);
  command.footer(
      "One HTML file that needs no network: the text, every token shaded by how much of it is kept, with a slider "
      "over\n"
      "the keep ratio, a map of layers and heads, the scores, and search. It holds the document's whole text.\n\n"
      "Examples:\n"
      "  kvzip view report.txt -o report.html\n"
      "  kvzip view report.txt -o report.html --keep 200MiB -m qwen3-8b\n");
  return [flags] { run_view(*flags); };
}

}  // namespace kvzip::cli
